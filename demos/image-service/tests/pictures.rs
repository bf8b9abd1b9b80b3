//! What comes in: gray, alpha, 16 bits, EXIF orientation, and what is refused before decoding.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use image_service::{Filter, Picture, Refusal};

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encode(image, ImageFormat::Png)
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = image.into();
    image
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

fn gradient<P, const N: usize>(
    pixel: impl Fn([u16; N]) -> P,
) -> image::ImageBuffer<P, Vec<P::Subpixel>>
where
    P: image::Pixel,
{
    image::ImageBuffer::from_fn(9, 6, |x, y| {
        pixel(std::array::from_fn(|c| {
            (x * 25 + y * 7 + c as u32 * 3) as u16
        }))
    })
}

#[test]
fn gray_stays_gray_and_equals_any_channel_of_its_color_twin() {
    let gray = Picture::decode(&png(gradient(|[p]: [u16; 1]| image::Luma([p as u8])))).unwrap();
    let twin = gradient(|[p]: [u16; 1]| image::Rgb([p as u8; 3]));
    let twin = Picture::decode(&png(twin)).unwrap();
    assert_eq!((gray.planes(), twin.planes()), (1, 3));
    for filter in Filter::all() {
        let one = filter.run(&gray);
        assert_eq!(one.pixels().repeat(3), filter.run(&twin).pixels());
        let back = image::load_from_memory(&one.encode().unwrap()).unwrap();
        assert_eq!(back.color(), image::ColorType::L8);
    }
}

#[test]
fn alpha_goes_through_untouched() {
    let image = gradient(|[r, g, b, a]: [u16; 4]| image::Rgba([r, g, b, a].map(|p| p as u8)));
    let picture = Picture::decode(&png(image.clone())).unwrap();
    let alpha: Vec<u8> = image.pixels().map(|p| p[3]).collect();
    for filter in Filter::all() {
        let result = filter.run(&picture);
        assert_eq!(result.alpha(), Some(alpha.as_slice()));
        let back = Picture::decode(&result.encode().unwrap()).unwrap();
        assert_eq!(back, result);
    }
}

#[test]
fn gray_with_alpha_keeps_both() {
    let image = gradient(|[p, a]: [u16; 2]| image::LumaA([p as u8, a as u8]));
    let picture = Picture::decode(&png(image)).unwrap();
    assert_eq!(
        (picture.planes(), picture.alpha().map(<[u8]>::len)),
        (1, Some(54))
    );
    assert_eq!(
        Picture::decode(&picture.encode().unwrap()).unwrap(),
        picture
    );
}

#[test]
fn sixteen_bits_are_reduced_to_eight_by_rounding() {
    let image = gradient(|[p]: [u16; 1]| image::Luma([p * 257 + 100]));
    let picture = Picture::decode(&png(image)).unwrap();
    let expected = gradient(|[p]: [u16; 1]| image::Luma([p as u8]));
    assert_eq!(picture.pixels(), expected.as_raw());
}

#[test]
fn a_jpeg_is_turned_upright() {
    let image = gradient(|[p]: [u16; 1]| image::Luma([p as u8]));
    let plain = encode(image, ImageFormat::Jpeg);
    let mut turned = plain[..2].to_vec();
    // APP1: EXIF, big endian, one entry: orientation (0x0112), SHORT, 1 value, 6 = turn right.
    turned.extend(b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
    turned.extend(&plain[2..]);
    let picture = Picture::decode(&turned).unwrap();
    assert_eq!((picture.width(), picture.height()), (6, 9));
}

/// A PNG that announces `width` x `height` and holds nothing.
fn announce(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(gradient(|[p]: [u16; 1]| image::Luma([p as u8])));
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg())
        })
    })
}

#[test]
fn huge_dimensions_are_refused_from_the_header() {
    for (width, height) in [(60_000, 60_000), (20_000, 2), (2, 20_000), (5000, 5000)] {
        let refused = Picture::decode(&announce(width, height)).unwrap_err();
        assert_eq!(refused, Refusal::TooLarge { width, height });
        assert_eq!(refused.status(), 413);
    }
}

#[test]
fn every_truncation_is_refused_and_none_panics() {
    let whole = png(gradient(|[p]: [u16; 1]| image::Luma([p as u8])));
    // The last 12 bytes are the IEND chunk, which holds nothing of the picture.
    for length in 0..whole.len() - 12 {
        let refused = Picture::decode(&whole[..length]).unwrap_err();
        assert!(refused.status().is_client_error(), "{length}: {refused}");
    }
}

#[test]
fn no_flipped_byte_panics() {
    let whole = png(gradient(|[p]: [u16; 1]| image::Luma([p as u8])));
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        if let Err(refused) = Picture::decode(&bytes) {
            assert!(refused.status().is_client_error(), "{at}: {refused}");
        }
    }
}

#[test]
fn other_formats_are_named_as_such() {
    assert_eq!(Picture::decode(b"GIF89a....").unwrap_err(), Refusal::Format);
    assert_eq!(Picture::decode(b"hello").unwrap_err(), Refusal::Format);
    assert_eq!(Picture::decode(b"").unwrap_err(), Refusal::Empty);
}
