//! Plots of lines over two logarithmic axes, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 46.0;
const BOTTOM: f64 = 34.0;
const MARGIN: f64 = 10.0;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Shown when pointed at.
    pub name: String,
    /// Its colour.
    pub colour: &'static str,
    /// Its points, from left to right, all coordinates positive.
    pub points: Vec<(f64, f64)>,
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What goes across.
    pub x_label: String,
    /// What goes up.
    pub y_label: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A logarithmic axis.
struct Axis {
    /// Logarithms of the bounds.
    low: f64,
    high: f64,
    /// Where these are, in pixels.
    from: f64,
    to: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Axis> {
        let logs: Vec<f64> = values.filter(|v| *v > 0.0).map(f64::log10).collect();
        let low = logs.iter().copied().min_by(f64::total_cmp)?;
        let high = logs.iter().copied().max_by(f64::total_cmp)?;
        let room = ((high - low) * 0.04).max(0.05);
        Some(Axis { low: low - room, high: high + room, from, to })
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// Round numbers within the bounds: 1, 2 and 5 times powers of ten, or only the powers if the
    /// axis is long.
    fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.high - self.low > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        decades
            .flat_map(|d| steps.iter().map(move |s| s * 10f64.powi(d)))
            .filter(|t| (self.low..=self.high).contains(&t.log10()))
            .collect()
    }
}

impl Plot {
    /// The picture.
    pub fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|l| &l.points);
        let across = Axis::around(all().map(|p| p.0), LEFT, WIDTH - MARGIN);
        let up = Axis::around(all().map(|p| p.1), HEIGHT - BOTTOM, MARGIN);
        let (Some(x), Some(y)) = (across, up) else { return String::new() };
        let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" role=\"img\">");
        grid(&mut out, &x, &y);
        let (label_x, label_y) = (WIDTH - MARGIN, HEIGHT - 4.0);
        let _ = write!(
            out,
            "<text x=\"{label_x}\" y=\"{label_y}\" text-anchor=\"end\">{}</text>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            self.x_label,
            LEFT + 4.0,
            MARGIN + 10.0,
            self.y_label
        );
        for line in &self.lines {
            let points: Vec<String> = line
                .points
                .iter()
                .map(|&(px, py)| format!("{:.1},{:.1}", x.place(px), y.place(py)))
                .collect();
            let _ = write!(
                out,
                "<polyline class=\"line\" stroke=\"{}\" points=\"{}\"><title>{}</title></polyline>",
                line.colour,
                points.join(" "),
                line.name
            );
        }
        out.push_str("</svg>");
        out
    }
}

fn grid(out: &mut String, x: &Axis, y: &Axis) {
    for tick in x.ticks() {
        let at = x.place(tick);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{}\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            y.from,
            y.to,
            y.from + 14.0,
            number(tick)
        );
    }
    for tick in y.ticks() {
        let at = y.place(tick);
        let _ = write!(
            out,
            "<line class=\"grid\" y1=\"{at:.1}\" y2=\"{at:.1}\" x1=\"{}\" x2=\"{}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x.from,
            x.to,
            x.from - 5.0,
            at + 4.0,
            number(tick)
        );
    }
}

/// A tick's number without the noise of binary fractions.
fn number(tick: f64) -> String {
    let digits = (-tick.log10().floor()).max(0.0) as usize;
    format!("{tick:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let axis = Axis::around([0.02, 1.5].into_iter(), 0.0, 1.0).unwrap();
        assert_eq!(
            axis.ticks().into_iter().map(number).collect::<Vec<_>>(),
            ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]
        );
        let long = Axis::around([0.02, 200.0].into_iter(), 0.0, 1.0).unwrap();
        assert_eq!(
            long.ticks().into_iter().map(number).collect::<Vec<_>>(),
            ["0.1", "1", "10", "100"]
        );
    }

    #[test]
    fn points_keep_their_order() {
        let line = Line { name: "a".into(), colour: "#000", points: vec![(1.0, 1.0), (10.0, 9.0)] };
        let plot = Plot { x_label: "x".into(), y_label: "y".into(), lines: vec![line] };
        let svg = plot.svg();
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let xy: Vec<f64> = points.split([' ', ',']).map(|s| s.parse().unwrap()).collect();
        assert!(xy[0] < xy[2] && xy[1] > xy[3], "{points}");
        let empty = Plot { lines: Vec::new(), ..plot };
        assert_eq!(empty.svg(), "");
    }
}
