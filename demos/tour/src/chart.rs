//! SVG by hand: scales, shapes and text, escaped.

use std::fmt::Write;

/// A growing SVG document.
pub struct Canvas {
    body: String,
}

/// Maps values to pixels.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Values at both ends.
    pub values: (f64, f64),
    /// Pixels at both ends.
    pub pixels: (f64, f64),
}

impl Scale {
    /// Where a value lies.
    pub fn at(self, value: f64) -> f64 {
        let share = (value - self.values.0) / (self.values.1 - self.values.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// A step of 1, 2 or 5 times a power of ten that gives at most `most` steps.
    pub fn step(self, most: f64) -> f64 {
        let raw = ((self.values.1 - self.values.0) / most).max(f64::MIN_POSITIVE);
        let power = 10f64.powf(raw.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|factor| factor * power >= raw * 0.999);
        factor.unwrap_or(10.0) * power
    }

    /// The values to label.
    pub fn ticks(self, most: f64) -> impl Iterator<Item = f64> {
        let step = self.step(most);
        let first = (self.values.0 / step).ceil() as i64;
        let last = (self.values.1 / step + 1e-9).floor() as i64;
        (first..=last).map(move |k| k as f64 * step)
    }
}

impl Canvas {
    /// An empty document with a title, a description and a style sheet.
    pub fn new(width: f64, height: f64, title: &str, description: &str, style: &str) -> Self {
        let mut canvas = Self {
            body: String::new(),
        };
        canvas.push(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"t d\">\n<title id=\"t\">{}</title>\n\
             <desc id=\"d\">{}</desc>\n<style>{style}</style>",
            escape(title),
            escape(description)
        ));
        canvas
    }

    fn push(&mut self, line: &str) {
        self.body += line;
        self.body.push('\n');
    }

    /// A rectangle with rounded corners.
    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let width = width.max(0.0);
        self.push(&format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.push(&format!(
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// Text; the class sets anchor and look.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.push(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(text)
        ));
    }

    /// A curve of straight pieces, and the area between it and `ground`.
    pub fn area(&mut self, class: &str, points: &[(f64, f64)], ground: f64) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let mut path = String::new();
        for (x, y) in points {
            // Writing to a string does not fail.
            let _ = write!(path, "L{x:.1},{y:.1}");
        }
        self.push(&format!(
            "<path class=\"{class} fill\" d=\"M{:.1},{ground:.1}{path}L{:.1},{ground:.1}Z\"/>",
            first.0, last.0
        ));
        let curve = &path[1..];
        self.push(&format!("<path class=\"{class} curve\" d=\"M{curve}\"/>"));
    }

    /// The document.
    pub fn finish(mut self) -> String {
        self.push("</svg>");
        self.body
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let scale = Scale {
            values: (0.0, 47.0),
            pixels: (100.0, 0.0),
        };
        assert_eq!(
            scale.ticks(5.0).collect::<Vec<_>>(),
            [0.0, 10.0, 20.0, 30.0, 40.0]
        );
        assert_eq!((scale.at(0.0), scale.at(47.0)), (100.0, 0.0));
    }

    #[test]
    fn text_cannot_break_out() {
        let mut canvas = Canvas::new(1.0, 1.0, "<t>", "\"", "");
        canvas.text("c", (0.0, 0.0), "a < b & c");
        let drawn = canvas.finish();
        assert!(drawn.contains("&lt;t&gt;") && drawn.contains("a &lt; b &amp; c"));
    }
}
