//! The filters once more as plain sequential Rust, without sections: what every answer is compared with.
//!
//! The arithmetic is that of [`crate::sections`], operation by operation, so that answers are equal bit
//! for bit; the form is another (two loops, a clamped look-up), so that one slip is not made twice.

use crate::Picture;
use crate::filter::{Filter, Gaussian};

/// What `filter` makes of `picture`.
pub fn run(filter: Filter, picture: &Picture) -> Picture {
    let planes = picture.pixels().chunks(picture.plane());
    let planes = planes.map(|pixels| Plane {
        width: picture.width() as usize,
        values: pixels.iter().map(|&p| f32::from(p)).collect(),
    });
    picture.with_pixels(planes.flat_map(|plane| plane.filter(filter)).collect())
}

struct Plane {
    width: usize,
    values: Vec<f32>,
}

impl Plane {
    fn filter(&self, filter: Filter) -> Vec<u8> {
        let values = match filter {
            Filter::Blur(gaussian) => self.blur(gaussian).values,
            Filter::Sobel => self.map(|x, y| self.gradient(x, y)).values,
            Filter::Unsharp { gaussian, amount } => {
                let blurred = self.blur(gaussian);
                self.map(|x, y| {
                    let p = self.at(x, y);
                    p + amount * (p - blurred.at(x, y))
                })
                .values
            }
            Filter::Contrast { half, gain, base } => {
                self.map(|x, y| self.contrast(x, y, half as isize, gain, base))
                    .values
            }
            Filter::Equalize => return self.equalize(),
        };
        values.into_iter().map(round).collect()
    }

    /// The value at a position, or at the nearest one inside.
    fn at(&self, x: isize, y: isize) -> f32 {
        let height = self.values.len() / self.width;
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, height as isize - 1) as usize;
        self.values[y * self.width + x]
    }

    fn map(&self, value: impl Fn(isize, isize) -> f32) -> Plane {
        let width = self.width as isize;
        let places = 0..self.values.len() as isize;
        Plane {
            width: self.width,
            values: places.map(|i| value(i % width, i / width)).collect(),
        }
    }

    fn blur(&self, gaussian: Gaussian) -> Plane {
        let taps: Vec<(isize, f32)> = (-(gaussian.radius() as isize)..)
            .zip(gaussian.taps())
            .collect();
        let weigh =
            |value: &dyn Fn(isize) -> f32| taps.iter().fold(0.0, |sum, &(k, w)| sum + w * value(k));
        let rows = self.map(|x, y| weigh(&|k| self.at(x + k, y)));
        rows.map(|x, y| weigh(&|k| rows.at(x, y + k)))
    }

    fn gradient(&self, x: isize, y: isize) -> f32 {
        let smooth = [(-1, 1.0), (0, 2.0), (1, 1.0)];
        let down = smooth
            .map(|(k, w)| w * (self.at(x + k, y + 1) - self.at(x + k, y - 1)))
            .iter()
            .sum::<f32>();
        let across = smooth
            .map(|(k, w)| w * (self.at(x + 1, y + k) - self.at(x - 1, y + k)))
            .iter()
            .sum::<f32>();
        (f64::from(down) * f64::from(down) + f64::from(across) * f64::from(across)).sqrt() as f32
    }

    fn contrast(&self, x: isize, y: isize, half: isize, gain: f32, base: f32) -> f32 {
        let (mut sum, mut square) = (0u64, 0u64);
        for row in y - half..=y + half {
            for column in x - half..=x + half {
                let p = self.at(column, row) as u64;
                sum += p;
                square += p * p;
            }
        }
        let n = ((2 * half + 1) * (2 * half + 1)) as u64;
        let mean = sum as f32 / n as f32;
        let variance = (n * square - sum * sum) as f32 / (n * n) as f32;
        base + gain * (self.at(x, y) - mean) / (variance + 1.0).sqrt()
    }

    fn equalize(&self) -> Vec<u8> {
        let mut sorted: Vec<u64> = self.values.iter().map(|&p| p as u64).collect();
        sorted.sort_unstable();
        let up_to = |p: u64| sorted.partition_point(|&q| q <= p) as u64;
        let (n, least) = (sorted.len() as u64, up_to(sorted[0]));
        let level = |p: u64| match n - least {
            0 => p as u8,
            rest => ((510 * (up_to(p) - least) + rest) / (2 * rest)) as u8,
        };
        let levels: Vec<u8> = (0..256)
            .map(|p| if p < sorted[0] { 0 } else { level(p) })
            .collect();
        self.values.iter().map(|&p| levels[p as usize]).collect()
    }
}

/// To 0..255, halves up.
fn round(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + 0.5).floor() as u8
}
