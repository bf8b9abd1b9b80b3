//! One stream: work is submitted with a mark behind it, and marks are waited for with a deadline.

use std::ffi::c_int;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::driver::{Driver, Handle};
use super::error::{CudaError, Lost};
use super::gpu::Gpu;

/// `CU_STREAM_NON_BLOCKING`.
const ALONE: u32 = 1;
/// `CU_EVENT_DISABLE_TIMING`.
const UNTIMED: u32 = 2;
/// `CUDA_ERROR_NOT_READY`.
const NOT_READY: c_int = 600;

/// Waits are busy for so long, then doze.
const BUSY: Duration = Duration::from_micros(100);
const DOZE: Duration = Duration::from_micros(20);

/// A point in the stream.
pub(super) struct Mark {
    gpu: Arc<Gpu>,
    event: Handle,
}

impl Mark {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self, CudaError> {
        gpu.enter()?;
        let mut event = Handle::NONE;
        // SAFETY: `event` is writable, and the device is entered.
        let made = unsafe { (gpu.driver.make_event)(&raw mut event, UNTIMED) };
        gpu.driver.check("making an event", made)?;
        Ok(Self {
            gpu: gpu.clone(),
            event,
        })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if self.gpu.may_give_back() {
            // SAFETY: made by `new`, and nothing waits for it.
            unsafe { (self.gpu.driver.end_event)(self.event) };
        }
    }
}

/// Runs work in order.
pub(super) struct Executor {
    gpu: Arc<Gpu>,
    stream: Handle,
    deadline: Duration,
    lost: bool,
    /// The next submission is answered as by a driver whose device is gone.
    lose: bool,
}

impl Executor {
    pub(super) fn new(gpu: &Arc<Gpu>, deadline: Duration) -> Result<Self, CudaError> {
        gpu.enter()?;
        let mut stream = Handle::NONE;
        // SAFETY: `stream` is writable, and the device is entered.
        let made = unsafe { (gpu.driver.make_stream)(&raw mut stream, ALONE) };
        gpu.driver.check("making a stream", made)?;
        Ok(Self {
            gpu: gpu.clone(),
            stream,
            deadline,
            lost: false,
            lose: false,
        })
    }

    /// Has the next submission fail as on a lost device.
    pub(super) fn lose(&mut self) {
        self.lose = true;
    }

    /// Submits what `call` submits, and `mark` behind it.
    ///
    /// # Errors
    /// [`Lost`], now and from now on.
    pub(super) fn submit(
        &mut self,
        mark: &Mark,
        call: impl FnOnce(&Driver, Handle) -> c_int,
    ) -> Result<(), Lost> {
        if self.lost {
            return Err(Lost::Before);
        }
        let done = self.submitted(mark, call);
        done.map_err(|lost| self.end(lost))
    }

    fn submitted(
        &self,
        mark: &Mark,
        call: impl FnOnce(&Driver, Handle) -> c_int,
    ) -> Result<(), Lost> {
        if self.lose {
            return Err(Lost::Injected);
        }
        let driver = self.gpu.driver;
        let fine = |result| match result {
            0 => Ok(()),
            number => Err(Lost::Driver(driver.code(number))),
        };
        self.gpu.enter().map_err(|_| Lost::Before)?;
        fine(call(driver, self.stream))?;
        // SAFETY: both are of this device, which is entered.
        fine(unsafe { (driver.record_event)(mark.event, self.stream) })
    }

    /// Waits until the mark is passed. Of work that did not end, all memory stays in use for ever.
    ///
    /// # Errors
    /// As [`Executor::submit`].
    pub(super) fn wait(&mut self, mark: &Mark) -> Result<(), Lost> {
        let begun = Instant::now();
        loop {
            // SAFETY: the event is of this device.
            let lost = match unsafe { (self.gpu.driver.query_event)(mark.event) } {
                0 => return Ok(()),
                NOT_READY if begun.elapsed() < self.deadline => {
                    pause(begun.elapsed());
                    continue;
                }
                NOT_READY => Lost::Hung(self.deadline.as_millis() as u64),
                number => Lost::Driver(self.gpu.driver.code(number)),
            };
            return Err(self.end(lost));
        }
    }

    fn end(&mut self, lost: Lost) -> Lost {
        self.lost = true;
        self.gpu.quarantine();
        lost
    }
}

fn pause(waited: Duration) {
    if waited < BUSY {
        std::hint::spin_loop();
    } else {
        thread::sleep(DOZE);
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if self.gpu.may_give_back() {
            // SAFETY: made by `new`, and all its work is done.
            unsafe { (self.gpu.driver.end_stream)(self.stream) };
        }
    }
}
