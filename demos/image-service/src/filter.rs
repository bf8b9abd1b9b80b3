//! The filters by name, with their options.

use crate::options::Options;
use crate::{Picture, Refusal, apply};

/// A filter and what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter {
    /// Gaussian blur.
    Blur(Gaussian),
    /// Length of the Sobel gradient.
    Sobel,
    /// Unsharp masking: `p + amount * (p - blur)`.
    Unsharp {
        /// The blur that is taken away.
        gaussian: Gaussian,
        /// How much of the difference is added.
        amount: f32,
    },
    /// Local contrast: `base + gain * (p - mean) / sqrt(variance + 1)`.
    Contrast {
        /// Pixels of the window to either side of its middle.
        half: u32,
        /// Factor of the normalised difference.
        gain: f32,
        /// Value of a pixel that equals its window's mean.
        base: f32,
    },
    /// Histogram equalisation by channel.
    Equalize,
}

/// A Gaussian as scipy.ndimage.gaussian_filter takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// Standard deviation in pixels.
    pub sigma: f64,
    /// Radius in standard deviations.
    pub truncate: f64,
}

impl Default for Gaussian {
    fn default() -> Self {
        Self {
            sigma: 2.0,
            truncate: 4.0,
        }
    }
}

impl Gaussian {
    /// Pixels to either side of the middle.
    pub fn radius(self) -> u32 {
        (self.truncate * self.sigma + 0.5) as u32
    }

    /// The weights, `2 * radius + 1` of them, normalised in `f64`.
    pub fn taps(self) -> Vec<f32> {
        let radius = f64::from(self.radius());
        let weight = |x: f64| (-0.5 * x * x / (self.sigma * self.sigma)).exp();
        let weights: Vec<f64> = (0..=2 * self.radius())
            .map(|k| weight(f64::from(k) - radius))
            .collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| (w / total) as f32).collect()
    }
}

/// Widest blur, in pixels to either side.
pub const MAX_RADIUS: u32 = 64;

/// Widest window of `contrast`.
pub const MAX_WINDOW: u32 = 127;

impl Filter {
    /// Every filter with its defaults, in the order of the page.
    pub fn all() -> [Self; 5] {
        [
            Self::Blur(Gaussian::default()),
            Self::Sobel,
            Self::Unsharp {
                gaussian: Gaussian::default(),
                amount: 1.0,
            },
            Self::Contrast {
                half: 15,
                gain: 48.0,
                base: 128.0,
            },
            Self::Equalize,
        ]
    }

    /// The name in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blur(_) => "blur",
            Self::Sobel => "sobel",
            Self::Unsharp { .. } => "unsharp",
            Self::Contrast { .. } => "contrast",
            Self::Equalize => "equalize",
        }
    }

    /// A filter from its name and the query's pairs.
    ///
    /// # Errors
    /// [`Refusal::UnknownFilter`], or [`Refusal::Option`] for a pair that this filter does not take,
    /// that is given twice, or whose value is not a number in range.
    pub fn parse(name: &str, pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let mut options = Options::new(pairs);
        let filter = match name {
            "blur" => Self::Blur(gaussian(&mut options)?),
            "sobel" => Self::Sobel,
            "unsharp" => Self::Unsharp {
                gaussian: gaussian(&mut options)?,
                amount: options.number("amount", 1.0, 0.0..=10.0)? as f32,
            },
            "contrast" => Self::Contrast {
                half: options.odd("window", 31, MAX_WINDOW)? / 2,
                gain: options.number("gain", 48.0, 0.0..=255.0)? as f32,
                base: options.number("base", 128.0, 0.0..=255.0)? as f32,
            },
            "equalize" => Self::Equalize,
            _ => return Err(Refusal::UnknownFilter(name.chars().take(40).collect())),
        };
        options.finish(name)?;
        Ok(filter)
    }

    /// Filters a picture.
    pub fn run(self, picture: &Picture) -> Picture {
        picture.with_pixels(match self {
            Self::Blur(gaussian) => apply::blur(picture, gaussian),
            Self::Sobel => apply::sobel(picture),
            Self::Unsharp { gaussian, amount } => apply::unsharp(picture, gaussian, amount),
            Self::Contrast { half, gain, base } => apply::contrast(picture, half, gain, base),
            Self::Equalize => apply::equalize(picture),
        })
    }
}

fn gaussian(options: &mut Options) -> Result<Gaussian, Refusal> {
    let gaussian = Gaussian {
        sigma: options.number("sigma", 2.0, 0.1..=32.0)?,
        truncate: options.number("truncate", 4.0, 0.5..=10.0)?,
    };
    if gaussian.radius() > MAX_RADIUS {
        return Err(Refusal::Option {
            name: "sigma".into(),
            value: gaussian.sigma.to_string(),
            why: format!(
                "truncate * sigma gives a radius of {} pixels and at most {MAX_RADIUS} are taken",
                gaussian.radius()
            ),
        });
    }
    Ok(gaussian)
}
