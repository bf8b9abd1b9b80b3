//! Loops by the code that the simulated device makes of their virtual ISA, beside the code that rustc made of the
//! same source: one thread, no link, the same arguments, turn about.

use std::time::{Duration, Instant};

use hotsled_abi::{ArgBlock, ArgSlot, EntryFn};
use hotsled_device::backend::{Device, Status};
use hotsled_device::sim::{self, Model};
use hotsled_ir::{Elem, ParamKind, Valid};
use hotsled_link::{DevicePtr, Launch, LaunchArg, ModuleId};

use crate::own;
use crate::progress::Progress;
use crate::row::{self, Row};

/// Timed runs of each side; the least counts.
const ROUNDS: usize = 15;
/// Points of a side of square grids.
const SIDE: u64 = 512;
const CELLS: u64 = SIDE * SIDE;

/// An argument.
#[derive(Clone, Copy)]
enum Given {
    Word(u64),
    Float(f32),
    Double(f64),
    /// A slice of so many elements.
    Slice(u64),
}

use Given::{Double, Float, Slice, Word};

/// End of a section's path, its indices, and its arguments.
type Case = (&'static str, std::ops::Range<u64>, &'static [Given]);

const GRIDS: &[Given] = &[
    Slice(CELLS),
    Slice(CELLS),
    Word(SIDE),
    Word(SIDE),
    Word(SIDE),
    Word(SIDE),
];
const INNER: std::ops::Range<u64> = SIDE..CELLS - SIDE;

const CASES: [Case; 15] = [
    (
        "::saxpy",
        0..CELLS,
        &[Float(3.0), Slice(CELLS), Slice(CELLS)],
    ),
    (
        "::triad",
        0..CELLS,
        &[Float(3.0), Slice(CELLS), Slice(CELLS)],
    ),
    ("::jacobi_2d", INNER, GRIDS),
    ("suite::sobel::sobel", INNER, GRIDS),
    ("::game_of_life", 0..CELLS, GRIDS),
    (
        "::floyd_warshall",
        0..CELLS,
        &[
            Word(7),
            GRIDS[0],
            GRIDS[1],
            GRIDS[2],
            GRIDS[3],
            GRIDS[4],
            GRIDS[5],
        ],
    ),
    (
        "::heat_3d",
        64 * 64..63 * 64 * 64,
        &[
            Word(64),
            Slice(64 * 64 * 64),
            Slice(64 * 64 * 64),
            Word(64 * 64),
            Word(64),
            Word(64 * 64),
            Word(64),
        ],
    ),
    (
        "::lattice_boltzmann",
        0..128 * 128,
        &[
            Word(128),
            Double(0.6),
            Slice(9 * 128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
            Slice(128 * 128),
        ],
    ),
    (
        "::black_scholes",
        0..65536,
        &[
            Float(0.02),
            Float(0.3),
            Slice(65536),
            Slice(65536),
            Slice(65536),
            Slice(65536),
            Slice(65536),
        ],
    ),
    (
        "::nbody",
        0..1024,
        &[
            Double(1e-3),
            Slice(1024),
            Slice(1024),
            Slice(1024),
            Slice(1024),
        ],
    ),
    (
        "::mandelbrot",
        0..256 * 256,
        &[
            Word(256),
            Double(-2.0),
            Double(-1.5),
            Double(3.0 / 256.0),
            Word(100),
            Slice(256 * 256),
        ],
    ),
    ("::gemv", 0..SIDE, &[Slice(CELLS), Slice(SIDE), Slice(SIDE)]),
    (
        "::blur_rows",
        0..CELLS,
        &[Word(SIDE), Slice(17), Slice(CELLS), Slice(CELLS)],
    ),
    (
        "::blur_columns",
        0..CELLS,
        &[
            Word(SIDE),
            Word(SIDE),
            Slice(17),
            Slice(CELLS),
            Slice(CELLS),
        ],
    ),
    (
        "sections::sobel",
        0..CELLS,
        &[Word(SIDE), Word(SIDE), Slice(CELLS), Slice(CELLS)],
    ),
];

/// Times every case, and holds both sides' results against each other.
///
/// # Panics
/// When they differ, or a section is not there.
pub fn run() -> Vec<Row> {
    // Calls that are never made, so that these are linked in.
    std::hint::black_box(kernels::ALL);
    std::hint::black_box(image_service::sections::blur_rows as *const ());
    let mut progress = Progress::new("kernels", CASES.len());
    let time = |(path, indices, given): Case| {
        progress.step(path);
        let section = own::section(path);
        let module = hotsled_ir::read(section.module).expect("a section of this program");
        let mut sides = Sides::new(&module, section.body, indices.clone(), given);
        let (device, rustc) = sides.least();
        assert!(sides.agree(), "{path}: the device's results differ");
        Row::Kernels(row::Kernels {
            section: path.trim_start_matches("::").to_owned(),
            elements: indices.end - indices.start,
            grouped: sim::lanes(&module) > 1,
            device_s: device.as_secs_f64(),
            rustc_s: rustc.as_secs_f64(),
            ratio: rustc.as_secs_f64() / device.as_secs_f64(),
        })
    };
    CASES.map(time).into()
}

/// The same problem on both sides.
struct Sides {
    device: Device,
    launch: Launch,
    /// Slices: bytes, of the device, of the CPU.
    slices: Vec<(u64, DevicePtr, Vec<u64>)>,
    slots: Vec<ArgSlot>,
    body: EntryFn,
}

impl Sides {
    fn new(module: &Valid, body: EntryFn, indices: std::ops::Range<u64>, given: &[Given]) -> Self {
        let model = Model {
            memory: 256 << 20,
            bandwidth: 0,
            latency: Duration::ZERO,
        };
        let mut device = sim::device("sim", model).expect("memory for a device");
        let number = device.lowering.lower(module).expect("it lowers");
        let launch = Launch {
            module: ModuleId(number),
            base: indices.start,
            end: indices.end,
            args: Vec::new(),
        };
        let mut this = Self {
            device,
            launch,
            slices: Vec::new(),
            slots: Vec::new(),
            body,
        };
        assert_eq!(module.params.len(), given.len(), "{}", module.name);
        for (param, given) in module.params.iter().zip(given) {
            this.give(param.kind, *given);
        }
        this
    }

    fn give(&mut self, kind: ParamKind, given: Given) {
        let (Slice(len), Some(elem)) = (given, kind.elem()) else {
            let bits = match given {
                Word(bits) | Slice(bits) => bits,
                Float(value) => u64::from(value.to_bits()),
                Double(value) => value.to_bits(),
            };
            self.launch.args.push(LaunchArg::Scalar(bits));
            return self.slots.push(ArgSlot::scalar(bits));
        };
        let bytes = len * elem.size();
        let mut words = contents(elem, len);
        let ptr = self.device.backend.alloc(bytes).expect("room");
        // SAFETY: the vector holds as many bytes.
        let status = unsafe {
            self.device
                .backend
                .copy_in(ptr, words.as_ptr().cast(), bytes)
        };
        assert_eq!(status, Status::Done);
        self.slots.push(ArgSlot {
            word: words.as_mut_ptr() as u64,
            len,
        });
        self.launch.args.push(LaunchArg::Slice {
            ptr,
            len,
            first: 0,
            count: len,
        });
        self.slices.push((bytes, ptr, words));
    }

    /// Least times of the device's code and of rustc's.
    fn least(&mut self) -> (Duration, Duration) {
        let mut least = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            assert_eq!(self.device.backend.launch(&self.launch), Status::Done);
            least.0 = least.0.min(began.elapsed());
            let began = Instant::now();
            self.on_cpu();
            least.1 = least.1.min(began.elapsed());
        }
        least
    }

    fn on_cpu(&self) {
        let block = ArgBlock {
            call: std::ptr::null(),
            slots: self.slots.as_ptr(),
            len: self.slots.len() as u64,
        };
        // SAFETY: the slots are those of this section, of memory that nobody else uses.
        unsafe { (self.body)(&raw const block, self.launch.base, self.launch.end) }
    }

    /// Whether both have left the same bits.
    fn agree(&mut self) -> bool {
        let backend = &mut self.device.backend;
        self.slices.iter().all(|(bytes, ptr, ours)| {
            let mut theirs = vec![0u64; ours.len()];
            // SAFETY: the vector holds as many bytes.
            let status = unsafe { backend.copy_out(*ptr, theirs.as_mut_ptr().cast(), *bytes) };
            status == Status::Done && theirs == *ours
        })
    }
}

/// Bytes of small numbers without a pattern, in words.
fn contents(elem: Elem, len: u64) -> Vec<u64> {
    let number = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32;
    let bytes = (0..len).flat_map(|i| {
        let n = number(i);
        let unit = f64::from(n) / f64::from(1 << 24) + 0.25;
        let bits = match elem {
            Elem::F32 => u64::from((unit as f32).to_bits()),
            Elem::F64 => unit.to_bits(),
            _ => u64::from(n % 100),
        };
        bits.to_le_bytes().into_iter().take(elem.size() as usize)
    });
    let bytes: Vec<u8> = bytes.collect();
    bytes
        .chunks(8)
        .map(|word| {
            let mut all = [0; 8];
            all[..word.len()].copy_from_slice(word);
            u64::from_le_bytes(all)
        })
        .collect()
}
