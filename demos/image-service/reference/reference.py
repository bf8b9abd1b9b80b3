#!/usr/bin/env python3
"""Makes the golden pictures beside this file with scipy.

    python3 -m venv venv && venv/bin/pip install numpy scipy pillow
    venv/bin/python demos/image-service/reference/reference.py        # writes the golden pictures
    venv/bin/python demos/image-service/reference/reference.py out    # checks the tour's pictures

Every filter runs per channel in float64 on the 0..255 scale with mode='nearest'; the result is clamped to
0..255 and rounded half up once. The Rust test `golden` holds the filters to these files.
"""
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

HERE = Path(__file__).parent
PHOTO = HERE.parent / "assets" / "astronaut.png"


def finish(x):
    return np.floor(np.clip(x, 0, 255) + 0.5).astype(np.uint8)


def gaussian(p, sigma=2.0, truncate=4.0):
    return ndimage.gaussian_filter(p, sigma=sigma, truncate=truncate, mode="nearest")


def blur(p, **options):
    return finish(gaussian(p, **options))


def sobel(p):
    rows = ndimage.sobel(p, axis=0, mode="nearest")
    columns = ndimage.sobel(p, axis=1, mode="nearest")
    return finish(np.hypot(rows, columns))


def unsharp(p, amount=1.0, **options):
    return finish(p + amount * (p - gaussian(p, **options)))


def contrast(p, window=31, gain=48.0, base=128.0):
    mean = ndimage.uniform_filter(p, size=window, mode="nearest")
    square = ndimage.uniform_filter(p * p, size=window, mode="nearest")
    variance = np.maximum(square - mean * mean, 0)
    return finish(base + gain * (p - mean) / np.sqrt(variance + 1))


def equalize(p):
    counts = np.bincount(p.astype(np.int64).ravel(), minlength=256)
    cdf = np.cumsum(counts)
    least = cdf[cdf > 0][0]
    if p.size == least:
        return p.astype(np.uint8)
    return finish(255.0 * (cdf[p.astype(np.int64)] - least) / (p.size - least))


def by_channel(picture, run):
    channels = picture.astype(np.float64)
    return np.stack([run(channels[:, :, c]) for c in range(channels.shape[2])], axis=2)


CASES = {
    "blur": blur,
    "sobel": sobel,
    "unsharp": unsharp,
    "contrast": contrast,
    "equalize": equalize,
    "blur-sigma1.3-truncate3": lambda p: blur(p, sigma=1.3, truncate=3.0),
    "unsharp-sigma1-amount2.5": lambda p: unsharp(p, amount=2.5, sigma=1.0),
    "contrast-window9-gain30-base100": lambda p: contrast(p, window=9, gain=30.0, base=100.0),
}


def check(folder):
    """Holds the pictures that the tour left in `folder` to the whole photograph's results."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB"))
    worst = 0
    for name in ("blur", "sobel", "unsharp", "contrast", "equalize"):
        golden = by_channel(photo, CASES[name]).astype(int)
        for path in sorted(Path(folder).glob(f"{name}-*.png")):
            difference = np.abs(np.asarray(Image.open(path)).astype(int) - golden)
            worst = max(worst, difference.max())
            print(f"{path.name}: {np.count_nonzero(difference)} of {difference.size} values differ, by at most {difference.max()}")
    sys.exit(int(worst > 1))


def main():
    if len(sys.argv) > 1:
        check(sys.argv[1])
    photo = np.asarray(Image.open(PHOTO).convert("RGB"))
    # The crop has skin, hair, flag and both bright and dark edges; `tiny` is smaller than any window.
    for name, crop in {"crop": photo[60:124, 180:276], "tiny": photo[100:105, 200:207]}.items():
        Image.fromarray(crop).save(HERE / f"{name}.png", optimize=True)
        for case, run in CASES.items():
            out = by_channel(crop, run)
            Image.fromarray(out).save(HERE / f"{name}-{case}.png", optimize=True)


if __name__ == "__main__":
    main()
