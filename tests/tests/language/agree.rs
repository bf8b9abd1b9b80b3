//! Runs a section on the CPU, in the interpreter and on the simulated device, and compares all bits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hotsled_abi::{RECORDS_SECTION, RecordView, SITE_ROW_LEN, SITES_SECTION, SiteRow};
use hotsled_device::backend::{Device, Status};
use hotsled_device::sim::{self, Model};
use hotsled_ir::interp::{self, Arg};
use hotsled_ir::{Elem, ParamKind, Type, Valid, Value};
use hotsled_link::{Launch, LaunchArg, ModuleId};
use object::{Object, ObjectSection};

/// Arguments as the interpreter takes them.
pub trait ToArg {
    fn arg(&self) -> Arg;
}

macro_rules! scalars {
    ($($ty:ident $variant:ident $wide:ident),*) => {$(
        impl ToArg for $ty {
            fn arg(&self) -> Arg {
                Arg::Scalar(Value::$variant(*self as $wide))
            }
        }
    )*};
}
scalars!(f32 F32 f32, f64 F64 f64, i32 I32 i32, u32 U32 u32, i64 I64 i64, u64 U64 u64, usize U64 u64);

macro_rules! slices {
    ($($ty:ident)*) => {$(
        impl ToArg for Vec<$ty> {
            fn arg(&self) -> Arg {
                Arg::Slice(self.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
        }
    )*};
}
slices!(f32 f64 i32 u32 i64 u64 u8 i8 u16 i16);

impl ToArg for hotsled::Grid<f32> {
    fn arg(&self) -> Arg {
        self.cells().to_vec().arg()
    }
}

macro_rules! atomics {
    ($($ty:ident)*) => {$(
        impl ToArg for Vec<$ty> {
            fn arg(&self) -> Arg {
                let now = self.iter().map(|v| v.load(Ordering::Relaxed));
                Arg::Slice(now.flat_map(|v| v.to_le_bytes()).collect())
            }
        }
    )*};
}
atomics!(AtomicU32 AtomicI64 AtomicU64 AtomicUsize);

/// Calls a section with vectors (`x` for `&x`, `mut y` for `&mut y`) and scalars, and checks that
/// interpreter and device agree with what it did, also where it panics.
#[macro_export]
macro_rules! agree {
    ($section:ident($($args:tt)*)) => { agree!($section($($args)*), []) };
    ($section:ident($($scalar:expr),*; $($input:ident),*; $($own:ident),*), [$($hidden:expr),*]) => {{
        let hidden = [$($crate::agree::ToArg::arg(&$hidden)),*];
        let lens = [$($own.len()),*];
        agree!(@ $section($($scalar),*; $($input),*; $($own),*), hidden, (0, lens[0]))
    }};
    ($section:ident($($scalar:expr),*; $($input:ident),*; $($own:ident),*), $hidden:expr, $range:expr) => {{
        let hidden = $hidden.map(|v| $crate::agree::ToArg::arg(&v));
        agree!(@ $section($($scalar),*; $($input),*; $($own),*), hidden, $range)
    }};
    (@ $section:ident($($scalar:expr),*; $($input:ident),*; $($own:ident),*), $hidden:ident, $range:expr) => {{
        let mut before = vec![$($crate::agree::ToArg::arg(&$scalar),)* $($input.arg(),)* $($own.arg(),)*];
        before.extend($hidden.clone());
        let panicked = $crate::agree::panics(|| { $section($($scalar,)* $(&$input,)* $(&mut $own),*); });
        let mut after = vec![$($crate::agree::ToArg::arg(&$scalar),)* $($input.arg(),)* $($own.arg(),)*];
        after.extend($hidden);
        let (base, end) = $range;
        $crate::agree::check(stringify!($section), before, after, base as u64..end as u64, panicked);
    }};
}

pub fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Every section of this program by its name.
fn module(name: &str) -> &'static Valid {
    static ALL: OnceLock<BTreeMap<String, Valid>> = OnceLock::new();
    &ALL.get_or_init(modules)[name]
}

fn modules() -> BTreeMap<String, Valid> {
    let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let section = |name: &str| {
        let section = file.section_by_name(name).unwrap();
        (section.address(), section.data().unwrap())
    };
    let ((sites, rows), (records, data)) = (section(SITES_SECTION), section(RECORDS_SECTION));
    let all = rows
        .chunks(SITE_ROW_LEN)
        .zip((sites..).step_by(SITE_ROW_LEN));
    all.map(|(row, at)| {
        let row = SiteRow::from_bytes(row.try_into().unwrap());
        let first = (row.record_at(at) - records) as usize;
        let view = RecordView::parse(&data[first..first + row.record_len as usize]).unwrap();
        let module = hotsled_ir::read(view.module).unwrap();
        (module.name.clone(), module)
    })
    .collect()
}

/// Compares with what the CPU made of `before`.
pub fn check(name: &str, before: Vec<Arg>, after: Vec<Arg>, range: Range<u64>, panicked: bool) {
    let Range { start, end } = range;
    let module = module(name);
    let text = hotsled_ir::print(module);
    assert_eq!(hotsled_ir::parse(&text).as_ref(), Ok(&**module), "{text}");
    let mut args = before.clone();
    let ran = interp::run(module, &mut args, start, end, 1 << 28);
    assert_eq!(
        ran.is_err(),
        panicked,
        "{name}, interpreter: {ran:?}\n{text}"
    );
    let mut device = device();
    let middle = start + (end - start) / 3;
    let mut on_device = before;
    let mut faulted = false;
    for (base, end) in [(start, middle), (middle, end)] {
        faulted |= launch(&mut device, module, &mut on_device, base, end) == Status::Faulted;
    }
    assert_eq!(faulted, panicked, "{name}, device\n{text}");
    if panicked {
        return;
    }
    for (n, param) in module.params.iter().enumerate() {
        let (Some(elem), Arg::Slice(wanted)) = (param.kind.elem(), &after[n]) else {
            continue;
        };
        for (place, got) in [("interpreter", &args[n]), ("device", &on_device[n])] {
            let Arg::Slice(got) = got else { unreachable!() };
            if let Some(at) = difference(elem, got, wanted) {
                let at_size = at * elem.size() as usize;
                let bits =
                    |b: &[u8]| format!("{:02x?}", &b[at_size..at_size + elem.size() as usize]);
                panic!(
                    "{name}: `{}` differs at {at}: {place} {}, CPU {}\n{text}",
                    param.name,
                    bits(got),
                    bits(wanted)
                );
            }
        }
    }
}

fn difference(elem: Elem, a: &[u8], b: &[u8]) -> Option<usize> {
    let size = elem.size() as usize;
    let nan = |bytes: &[u8]| match elem.value_type() {
        Type::F32 => f32::from_le_bytes(bytes.try_into().unwrap()).is_nan(),
        Type::F64 => f64::from_le_bytes(bytes.try_into().unwrap()).is_nan(),
        _ => false,
    };
    let mut pairs = a.chunks(size).zip(b.chunks(size));
    pairs.position(|(a, b)| a != b && !(nan(a) && nan(b)))
}

fn device() -> Device {
    let model = Model {
        memory: 16 << 20,
        bandwidth: 0,
        latency: Duration::ZERO,
    };
    sim::device("sim", model).unwrap()
}

fn launch(device: &mut Device, module: &Valid, args: &mut [Arg], base: u64, end: u64) -> Status {
    let number = device.lowering.lower(module).unwrap();
    let mut places = Vec::new();
    let mut launch = Launch {
        module: ModuleId(number),
        base,
        end,
        args: Vec::new(),
    };
    for (arg, param) in args.iter().zip(&module.params) {
        let (Arg::Slice(bytes), Some(elem)) = (arg, param.kind.elem()) else {
            let Arg::Scalar(value) = arg else {
                unreachable!()
            };
            launch.args.push(LaunchArg::Scalar(value.bits()));
            places.push(None);
            continue;
        };
        let (len, count) = (bytes.len() as u64, bytes.len() as u64 / elem.size());
        let ptr = device.backend.alloc(len).unwrap();
        // SAFETY: `bytes` is readable.
        unsafe { device.backend.copy_in(ptr, bytes.as_ptr(), len) };
        launch.args.push(LaunchArg::Slice {
            ptr,
            len: count,
            first: 0,
            count,
        });
        places.push(Some(ptr));
    }
    let status = device.backend.launch(&launch);
    for (arg, place) in args.iter_mut().zip(places) {
        if let (Arg::Slice(bytes), Some(ptr)) = (arg, place) {
            let len = bytes.len() as u64;
            // SAFETY: `bytes` is writable and of this length.
            unsafe { device.backend.copy_out(ptr, bytes.as_mut_ptr(), len) };
        }
    }
    status
}

/// What interpreter and device, which must agree, store for the leaves of a reduction.
pub fn leaves(name: &str, mut args: Vec<Arg>, count: usize) -> Vec<u8> {
    let module = module(name);
    let Some(ParamKind::Own(elem)) = module.params.last().map(|p| p.kind) else {
        panic!("{name} is no reduction");
    };
    args.push(Arg::Slice(vec![0xee; count * elem.size() as usize]));
    let mut on_device = args.clone();
    let end = count as u64;
    interp::run(module, &mut args, 0, end, 1 << 28).unwrap();
    let mut device = device();
    for (base, end) in [(0, end / 3), (end / 3, end)] {
        let status = launch(&mut device, module, &mut on_device, base, end);
        assert_eq!(status, Status::Done);
    }
    let (Some(Arg::Slice(wanted)), Some(Arg::Slice(got))) = (args.pop(), on_device.pop()) else {
        unreachable!("pushed above")
    };
    assert_eq!(difference(elem, &got, &wanted), None, "{name}, device");
    wanted
}
