//! Lines in a plot, as SVG in a page: nothing to load, and nothing that runs.

use std::fmt::Write as _;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
const TICKS: u32 = 5;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    /// Of CSS.
    pub(super) colour: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot. What is not finite, and on a logarithmic axis not above zero, is left out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x_label: &'static str,
    pub(super) y_label: &'static str,
    /// Whether the y axis is logarithmic.
    pub(super) log: bool,
    pub(super) lines: Vec<Line>,
}

impl Chart {
    /// The `svg` element.
    pub(super) fn svg(&self) -> String {
        let frame = Frame::around(self);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\"><text class=\"title\" x=\"{LEFT}\" y=\"14\">{title}</text>",
            title = escape(&self.title)
        );
        self.axes(&frame, &mut svg);
        for (number, line) in self.lines.iter().enumerate() {
            self.line(&frame, line, &mut svg);
            let x = LEFT + 130.0 * number as f64;
            let _ = write!(
                svg,
                "<text x=\"{x:.0}\" y=\"28\" fill=\"{}\">{}</text>",
                line.colour,
                escape(&line.name)
            );
        }
        svg + "</svg>\n"
    }

    fn axes(&self, frame: &Frame, svg: &mut String) {
        for tick in 0..=TICKS {
            let part = f64::from(tick) / f64::from(TICKS);
            let (x, y) = (frame.x(frame.at(0, part)), frame.y_part(part));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"end\" x=\"{end:.1}\" y=\"{base:.1}\">{value}</text>\
                 <text class=\"tick\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{below:.1}\">{at}</text>",
                right = WIDTH - RIGHT,
                end = LEFT - 6.0,
                base = y + 4.0,
                value = short(frame.y_value(part)),
                below = HEIGHT - BOTTOM + 16.0,
                at = short(frame.at(0, part)),
            );
        }
        let _ = write!(
            svg,
            "<text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"tick\" transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            WIDTH - RIGHT,
            HEIGHT - 8.0,
            escape(self.x_label),
            HEIGHT / 2.0,
            escape(self.y_label)
        );
    }

    fn line(&self, frame: &Frame, line: &Line, svg: &mut String) {
        let points = line.points.iter().filter(|point| self.shows(**point));
        let points = points.map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y)));
        let points: Vec<_> = points.collect();
        let _ = write!(
            svg,
            "<polyline stroke=\"{}\" points=\"{}\"/>",
            line.colour,
            points.join(" ")
        );
    }

    fn shows(&self, (x, y): (f64, f64)) -> bool {
        x.is_finite() && y.is_finite() && (!self.log || y > 0.0)
    }
}

/// Where values are on the paper.
#[derive(Debug)]
struct Frame {
    /// Of x, then of y; of y, its logarithm if the axis has it.
    low: [f64; 2],
    high: [f64; 2],
    log: bool,
}

impl Frame {
    fn around(chart: &Chart) -> Self {
        let mut frame = Self {
            low: [f64::INFINITY; 2],
            high: [f64::NEG_INFINITY; 2],
            log: chart.log,
        };
        let points = chart.lines.iter().flat_map(|line| line.points.iter());
        for point in points.filter(|point| chart.shows(**point)) {
            for (axis, value) in [point.0, frame.scaled(point.1)].into_iter().enumerate() {
                frame.low[axis] = frame.low[axis].min(value);
                frame.high[axis] = frame.high[axis].max(value);
            }
        }
        // Amounts are seen from zero.
        if !chart.log {
            frame.low[1] = frame.low[1].min(0.0);
        }
        for axis in 0..2 {
            let is_range = frame.high[axis] > frame.low[axis];
            if !is_range {
                let at = if frame.low[axis].is_finite() {
                    frame.low[axis]
                } else {
                    0.0
                };
                (frame.low[axis], frame.high[axis]) = (at, at + 1.0);
            }
        }
        frame
    }

    fn scaled(&self, y: f64) -> f64 {
        if self.log { y.log10() } else { y }
    }

    fn at(&self, axis: usize, part: f64) -> f64 {
        self.low[axis] + part * (self.high[axis] - self.low[axis])
    }

    fn y_value(&self, part: f64) -> f64 {
        let at = self.at(1, part);
        if self.log { 10_f64.powf(at) } else { at }
    }

    fn x(&self, x: f64) -> f64 {
        let part = (x - self.low[0]) / (self.high[0] - self.low[0]);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        self.y_part((self.scaled(y) - self.low[1]) / (self.high[1] - self.low[1]))
    }

    fn y_part(&self, part: f64) -> f64 {
        HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
    }
}

/// A number in as few digits as tell it apart on an axis.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{value:.1e}"),
        v if v >= 10.0 || v == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

/// Text as a page may hold it, also within quotes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(log: bool, points: &[(f64, f64)]) -> Chart {
        Chart {
            title: "a <b> & \"c\"".into(),
            x_label: "s",
            y_label: "MiB",
            log,
            lines: vec![Line {
                name: "one".into(),
                colour: "#123456",
                points: points.into(),
            }],
        }
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("<a b='\"&"), "&lt;a b=&#39;&quot;&amp;");
        let svg = chart(false, &[(0.0, 1.0)]).svg();
        assert!(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;") && !svg.contains("<b>"));
    }

    #[test]
    fn points_lie_between_the_axes_the_least_at_the_left_and_the_most_at_the_top() {
        let svg = chart(false, &[(0.0, 0.0), (10.0, 50.0)]).svg();
        assert!(svg.contains("points=\"64.0,256.0 544.0,34.0\""), "{svg}");
        let log = chart(true, &[(0.0, 1.0), (1.0, 10.0), (2.0, 100.0)]).svg();
        assert!(
            log.contains("points=\"64.0,256.0 304.0,145.0 544.0,34.0\""),
            "{log}"
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let svg = chart(true, &[(0.0, 0.0), (1.0, f64::NAN), (1.0, 5.0)]).svg();
        assert!(
            svg.contains("points=\"64.0,256.0\"") && !svg.contains("NaN"),
            "{svg}"
        );
        let empty = chart(false, &[]).svg();
        assert!(empty.contains("points=\"\"") && !empty.contains("inf"));
    }
}
