//! A photograph as the filters see it, and its way from and to bytes.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat,
    ImageReader, Limits,
};

use crate::Refusal;

/// Most pixels of a picture; more is refused before anything is decoded.
pub const MAX_PIXELS: u64 = 1 << 24;

/// Longest side of a picture.
pub const MAX_SIDE: u32 = 1 << 14;

/// A picture of 8-bit planes, one below the other: one plane of gray, or red, green and blue.
///
/// Filters work on the planes; `alpha` goes through them untouched. 16-bit pictures are reduced to 8 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    alpha: Option<Vec<u8>>,
}

impl Picture {
    /// A picture from its planes.
    ///
    /// # Panics
    /// If `pixels` is not one or three planes of `width * height`, or a plane is empty.
    pub fn from_planes(width: u32, height: u32, pixels: Vec<u8>) -> Self {
        let plane = width as usize * height as usize;
        assert!(plane > 0, "a picture has at least one pixel");
        assert!(
            pixels.len() == plane || pixels.len() == 3 * plane,
            "one plane or three"
        );
        Self {
            width,
            height,
            pixels,
            alpha: None,
        }
    }

    /// Reads a PNG or JPEG and turns it upright as its EXIF orientation says.
    ///
    /// # Errors
    /// [`Refusal`] with status 415 for another format, 413 for one beyond [`MAX_PIXELS`] or
    /// [`MAX_SIDE`] (found from the header, before decoding) and 400 for one that is corrupt.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut decoder = open(bytes)?;
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        let orientation = decoder.orientation().map_err(corrupt)?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(corrupt)?;
        image.apply_orientation(orientation);
        Ok(Self::from_image(image))
    }

    fn from_image(image: DynamicImage) -> Self {
        let (width, height) = (image.width(), image.height());
        let color = image.color();
        let channels = if color.has_color() { 3 } else { 1 };
        let interleaved = eight_bits(image);
        let stride = channels + usize::from(color.has_alpha());
        let plane = |c: usize| interleaved.iter().skip(c).step_by(stride).copied();
        Self {
            width,
            height,
            pixels: (0..channels).flat_map(plane).collect(),
            alpha: color.has_alpha().then(|| plane(channels).collect()),
        }
    }

    /// The picture as a PNG; equal pictures give equal bytes.
    ///
    /// # Errors
    /// [`Refusal::Encode`]: the PNG encoder gave up (out of memory).
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Up)
            .write_image(&self.interleave(), self.width, self.height, self.color())
            .map_err(|error| Refusal::Encode(error.to_string()))?;
        Ok(png)
    }

    fn interleave(&self) -> Vec<u8> {
        let mut planes: Vec<&[u8]> = self.pixels.chunks(self.plane()).collect();
        planes.extend(self.alpha.as_deref());
        (0..self.plane())
            .flat_map(|i| planes.iter().map(move |plane| plane[i]))
            .collect()
    }

    fn color(&self) -> ExtendedColorType {
        match (self.planes(), &self.alpha) {
            (1, None) => ExtendedColorType::L8,
            (1, Some(_)) => ExtendedColorType::La8,
            (_, None) => ExtendedColorType::Rgb8,
            (_, Some(_)) => ExtendedColorType::Rgba8,
        }
    }

    /// The same picture with other pixels.
    ///
    /// # Panics
    /// If there are not as many of them.
    pub fn with_pixels(&self, pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), self.pixels.len(), "as many pixels as before");
        Self {
            pixels,
            alpha: self.alpha.clone(),
            ..*self
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows in a plane.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Pixels in a plane.
    pub fn plane(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Number of planes, 1 or 3, not counting alpha.
    pub fn planes(&self) -> usize {
        self.pixels.len() / self.plane()
    }

    /// All planes, one after the other.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The opacity of each pixel, if the picture has it.
    pub fn alpha(&self) -> Option<&[u8]> {
        self.alpha.as_deref()
    }
}

fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| Refusal::Corrupt(error.to_string()))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(Refusal::Format);
    }
    reader.limits(limits());
    reader.into_decoder().map_err(corrupt)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 16);
    limits
}

fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Refusal::Corrupt("it has no pixels".into()));
    }
    if pixels > MAX_PIXELS || width.max(height) > MAX_SIDE {
        return Err(Refusal::TooLarge { width, height });
    }
    Ok(())
}

fn eight_bits(image: DynamicImage) -> Vec<u8> {
    let color: ColorType = image.color();
    match (color.has_color(), color.has_alpha()) {
        (false, false) => image.into_luma8().into_raw(),
        (false, true) => image.into_luma_alpha8().into_raw(),
        (true, false) => image.into_rgb8().into_raw(),
        (true, true) => image.into_rgba8().into_raw(),
    }
}

fn corrupt(error: image::ImageError) -> Refusal {
    Refusal::Corrupt(error.to_string())
}
