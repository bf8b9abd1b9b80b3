//! NVIDIA's driver library, opened at run time and never closed: it leaves threads behind.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use libloading::Library;

use super::error::{Code, CudaError};

/// An address in device memory.
pub(super) type Address = u64;

/// What the driver gives to hold: never looked into, and good on every thread.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle(pub(super) *mut c_void);

// SAFETY: the driver's objects belong to no thread; its calls lock for themselves.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(super) const NONE: Self = Self(std::ptr::null_mut());
}

macro_rules! driver {
    ($($name:ident = $symbol:literal ($($arg:ty),*);)*) => {
        /// The calls that are used, by the names of the CUDA Driver API's reference without `cu`.
        pub(super) struct Driver {
            $(pub(super) $name: unsafe extern "C" fn($($arg),*) -> c_int,)*
        }

        impl Driver {
            fn of(library: &Library) -> Result<Self, CudaError> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the symbol has this type, by the reference.
                        let found = unsafe { library.get::<unsafe extern "C" fn($($arg),*) -> c_int>($symbol) };
                        *found.map_err(|_| CudaError::Old(stringify!($name)))?
                    },)*
                })
            }
        }
    };
}

driver! {
    init = b"cuInit\0" (c_uint);
    driver_version = b"cuDriverGetVersion\0" (*mut c_int);
    error_name = b"cuGetErrorName\0" (c_int, *mut *const c_char);
    device_count = b"cuDeviceGetCount\0" (*mut c_int);
    device = b"cuDeviceGet\0" (*mut c_int, c_int);
    device_name = b"cuDeviceGetName\0" (*mut c_char, c_int, c_int);
    device_memory = b"cuDeviceTotalMem_v2\0" (*mut usize, c_int);
    device_attribute = b"cuDeviceGetAttribute\0" (*mut c_int, c_int, c_int);
    device_uuid = b"cuDeviceGetUuid\0" (*mut [u8; 16], c_int);
    retain_context = b"cuDevicePrimaryCtxRetain\0" (*mut Handle, c_int);
    release_context = b"cuDevicePrimaryCtxRelease_v2\0" (c_int);
    enter_context = b"cuCtxSetCurrent\0" (Handle);
    begin_link = b"cuLinkCreate_v2\0" (c_uint, *const c_int, *const *mut c_void, *mut Handle);
    link_text = b"cuLinkAddData_v2\0" (
        Handle, c_int, *const c_void, usize, *const c_char, c_uint, *const c_int, *const *mut c_void
    );
    finish_link = b"cuLinkComplete\0" (Handle, *mut *const c_void, *mut usize);
    end_link = b"cuLinkDestroy\0" (Handle);
    load_module = b"cuModuleLoadData\0" (*mut Handle, *const c_void);
    unload_module = b"cuModuleUnload\0" (Handle);
    function = b"cuModuleGetFunction\0" (*mut Handle, Handle, *const c_char);
    make_stream = b"cuStreamCreate\0" (*mut Handle, c_uint);
    end_stream = b"cuStreamDestroy_v2\0" (Handle);
    make_event = b"cuEventCreate\0" (*mut Handle, c_uint);
    record_event = b"cuEventRecord\0" (Handle, Handle);
    query_event = b"cuEventQuery\0" (Handle);
    end_event = b"cuEventDestroy_v2\0" (Handle);
    take_memory = b"cuMemAlloc_v2\0" (*mut Address, usize);
    give_memory = b"cuMemFree_v2\0" (Address);
    take_pinned = b"cuMemHostAlloc\0" (*mut *mut c_void, usize, c_uint);
    give_pinned = b"cuMemFreeHost\0" (*mut c_void);
    pinned_address = b"cuMemHostGetDevicePointer_v2\0" (*mut Address, *mut c_void, c_uint);
    copy_in = b"cuMemcpyHtoDAsync_v2\0" (Address, *const c_void, usize, Handle);
    copy_out = b"cuMemcpyDtoHAsync_v2\0" (*mut c_void, Address, usize, Handle);
    launch = b"cuLaunchKernel\0" (
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle,
        *const *mut c_void, *const *mut c_void
    );
}

impl Driver {
    /// Opens and initialises it.
    pub(super) fn open() -> Result<&'static Self, CudaError> {
        // SAFETY: the driver's initialisers are made for being loaded late.
        let library = unsafe { Library::new("libcuda.so.1") };
        let library = library.map_err(|e| CudaError::NoDriver(e.to_string()))?;
        let driver = Self::of(&library)?;
        std::mem::forget(library);
        let driver: &'static Self = Box::leak(Box::new(driver));
        // SAFETY: no flags are defined.
        driver.check("initialising", unsafe { (driver.init)(0) })?;
        Ok(driver)
    }

    /// The driver's word for a result.
    pub(super) fn code(&self, number: c_int) -> Code {
        let mut name = std::ptr::null();
        // SAFETY: `name` is writable.
        let known = unsafe { (self.error_name)(number, &raw mut name) };
        if known != 0 || name.is_null() {
            return Code { number, name: "?" };
        }
        // SAFETY: a string of the library, which is never closed.
        let name = unsafe { CStr::from_ptr::<'static>(name) };
        Code {
            number,
            name: name.to_str().unwrap_or("?"),
        }
    }

    /// An error for what did not succeed.
    pub(super) fn check(&self, step: &'static str, result: c_int) -> Result<(), CudaError> {
        match result {
            0 => Ok(()),
            number => Err(CudaError::Call {
                step,
                code: self.code(number),
            }),
        }
    }
}
