//! The filters held to what scipy computed (`reference/reference.py`), and to the plain reference.

use image_service::{Filter, Picture, reference};

fn load(name: &str) -> Picture {
    let path = format!("{}/reference/{name}.png", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    Picture::decode(&bytes).expect("a golden file is a sound PNG")
}

fn parse(case: &str) -> Filter {
    let mut parts = case.split('-');
    let name = parts.next().expect("a case starts with the filter's name");
    let pairs: Vec<(String, String)> = parts
        .map(|part| {
            let at = part.find(|c: char| c.is_ascii_digit()).expect("a value");
            (part[..at].to_owned(), part[at..].to_owned())
        })
        .collect();
    Filter::parse(name, &pairs).expect("a golden case is a filter")
}

const CASES: [&str; 8] = [
    "blur",
    "sobel",
    "unsharp",
    "contrast",
    "equalize",
    "blur-sigma1.3-truncate3",
    "unsharp-sigma1-amount2.5",
    "contrast-window9-gain30-base100",
];

/// Largest difference, and how many pixels differ at all.
fn compare(a: &Picture, b: &Picture) -> (u8, usize) {
    assert_eq!(a.pixels().len(), b.pixels().len());
    let differences = a
        .pixels()
        .iter()
        .zip(b.pixels())
        .map(|(a, b)| a.abs_diff(*b));
    let differing = differences.clone().filter(|&d| d > 0).count();
    (differences.max().unwrap_or(0), differing)
}

#[test]
fn scipy_agrees_within_one_level_and_nearly_everywhere() {
    for source in ["crop", "tiny"] {
        let picture = load(source);
        for case in CASES {
            let golden = load(&format!("{source}-{case}"));
            let (largest, differing) = compare(&parse(case).run(&picture), &golden);
            println!(
                "{source}-{case}: {differing} of {} differ",
                picture.pixels().len()
            );
            assert!(largest <= 1, "{source}-{case}: off by {largest}");
            // f32 against f64: only a value within rounding error of a half may fall the other way.
            let allowed = picture.pixels().len() / 2000;
            assert!(
                differing <= allowed,
                "{source}-{case}: {differing} pixels differ"
            );
        }
    }
}

#[test]
fn the_plain_reference_agrees_bit_for_bit() {
    for source in ["crop", "tiny"] {
        let picture = load(source);
        for case in CASES {
            let filter = parse(case);
            let differing = compare(&filter.run(&picture), &reference::run(filter, &picture)).1;
            assert_eq!(differing, 0, "{source}-{case}");
        }
    }
}

#[test]
fn a_wrong_filter_is_seen() {
    let picture = load("crop");
    let (largest, differing) = compare(&parse("blur-sigma1.9").run(&picture), &load("crop-blur"));
    assert!(largest > 1 && differing > picture.pixels().len() / 2000);
}

#[test]
fn a_plane_of_one_value_stays_as_it_is() {
    let flat = Picture::from_planes(5, 4, vec![77; 20]);
    assert_eq!(parse("equalize").run(&flat), flat);
    assert_eq!(reference::run(parse("equalize"), &flat), flat);
}

#[test]
fn one_pixel_has_neighbours_like_itself() {
    let dot = Picture::from_planes(1, 1, vec![200]);
    assert_eq!(parse("blur").run(&dot).pixels(), [200]);
    assert_eq!(parse("sobel").run(&dot).pixels(), [0]);
    assert_eq!(parse("contrast").run(&dot).pixels(), [128]);
}
