//! Structs that sections take.

/// A struct of scalars whose fields a section may use: made by `#[hotsled::device_data]`.
///
/// ```
/// use hotsled::parallel;
///
/// #[hotsled::device_data]
/// struct Lens {
///     gain: f32,
///     floor: f32,
/// }
///
/// #[hotsled::section]
/// fn develop(lens: &Lens, raw: &[f32], out: &mut [f32]) {
///     for i in parallel(0..out.len()) {
///         out[i] = (lens.gain * raw[i]).max(lens.floor);
///     }
/// }
///
/// let mut out = [0.0; 2];
/// develop(&Lens { gain: 2.0, floor: 3.0 }, &[1.0, 2.0], &mut out);
/// assert_eq!(out, [3.0, 4.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not data of a section",
    label = "its fields cannot enter a section",
    note = "put `#[hotsled::device_data]` on the struct"
)]
pub trait DeviceData {}

/// Compiles for data of a section only.
pub const fn data<T: DeviceData>() {}
