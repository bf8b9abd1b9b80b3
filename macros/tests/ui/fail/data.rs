//! What structs of sections are not.

use hotsled::parallel;

#[hotsled::device_data(packed)]
struct Wrong {
    name: String,
    small: u8,
}

#[hotsled::device_data]
struct Generic<T> {
    value: T,
}

#[hotsled::device_data]
#[derive(Clone, Copy)]
struct Lens {
    gain: f32,
    shift: i32,
}

struct Plain {
    gain: f32,
}

#[hotsled::section]
fn not_marked(plain: Plain, y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = plain.gain;
    }
}

#[hotsled::section]
fn misused(lens: Lens, y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        lens.gain = 1.0;
        let all = lens;
        let moved = Lens { gain: 2.0, ..lens };
        let bare = Lens { gain: 1.0, shift: 2 };
        let mut other = Lens { gain: y[i], shift: 2i32 };
        other = Lens { gain: y[i] };
        y[i] = other.focus + all.inner.gain + Lens { gain: 0.0, shift: 0 }.gain;
    }
}

#[hotsled::section]
fn patterns(lens: Lens, y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let Lens { gain, .. } = lens;
        let own = Lens { gain: y[i], shift: 2i32 };
        let Lens { focus, .. } = own;
        let Lens { gain: 1.0, shift: _ } = own;
        let Lens { shift } = own;
        y[i] = own.gain;
    }
}

#[hotsled::section]
fn mistyped(lens: Lens, y: &mut [u32]) {
    for i in parallel(0..y.len()) {
        y[i] = lens.gain;
    }
}

fn main() {}
