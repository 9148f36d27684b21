//! Messages about a text, with the place that they are about.
//!
//! Rendering is `ariadne`'s. It wants the whole text, cuts it into lines and measures each, which
//! is slow on large input and unreadable on long lines; so it is given a text with the same number
//! of lines in which only those with a message stand, cut to a readable length.

use ariadne::{Config, Label, Report, ReportKind, Source};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// At most this many messages are given for one text.
pub const MAX_DIAGNOSTICS: usize = 20;

/// How many characters of a long line are shown before and from the place of a message.
const SHOWN_BEFORE: usize = 160;
const SHOWN_FROM: usize = 160;

/// A message about a part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The part of the text, in bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// More about it.
    pub note: Option<String>,
}

/// Why a text was not accepted: one or more messages.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    name: String,
    source: Arc<str>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Messages about the text `source` of a file (or something else) called `name`.
    pub fn new(name: &str, source: Arc<str>, mut list: Vec<Diagnostic>) -> Diagnostics {
        list.truncate(MAX_DIAGNOSTICS);
        for diagnostic in &mut list {
            let floor = |at: usize| {
                let at = at.min(source.len());
                (0..=at).rev().find(|&i| source.is_char_boundary(i)).unwrap_or(0)
            };
            let start = floor(diagnostic.span.start);
            diagnostic.span = start..floor(diagnostic.span.end).max(start);
        }
        Diagnostics { name: name.to_string(), source, list }
    }

    /// The messages, in no particular order.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Line and column of a byte of the text, both counted from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.source[..offset];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The messages with name, line, column, the line of the text, and a mark under the place.
    pub fn render(&self, color: bool) -> String {
        let excerpt = Excerpt::new(&self.source, &self.list);
        let mut cache = (self.name.as_str(), Source::from(excerpt.text));
        let mut out = Vec::new();
        for (diagnostic, place) in self.list.iter().zip(excerpt.places) {
            let span = (self.name.as_str(), place.chars);
            let mut report = Report::build(ReportKind::Error, span.clone())
                .with_config(Config::default().with_color(color))
                .with_message(&diagnostic.message)
                .with_label(Label::new(span).with_message("here"));
            if let Some(note) = &diagnostic.note {
                report.add_note(note);
            }
            if place.cut {
                let (_, column) = self.line_column(diagnostic.span.start);
                report.add_note(format!("the line is long; this is its column {column}"));
            }
            report.finish().write(&mut cache, &mut out).expect("writing to memory cannot fail");
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl fmt::Display for Diagnostics {
    /// One line a message: name, line, column, message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.list.iter().enumerate() {
            let (line, column) = self.line_column(diagnostic.span.start);
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{line}:{column}: error: {}", self.name, diagnostic.message)?;
            if let Some(note) = &diagnostic.note {
                write!(f, " ({note})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Where a message's place went in the excerpt.
#[derive(Clone, Default)]
struct Place {
    chars: Range<usize>,
    cut: bool,
}

/// The text with all lines emptied that no message is about.
struct Excerpt {
    text: String,
    /// For each message.
    places: Vec<Place>,
}

impl Excerpt {
    fn new(source: &str, list: &[Diagnostic]) -> Excerpt {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|&i| list[i].span.start);
        let mut order = order.into_iter().peekable();
        let mut excerpt =
            Excerpt { text: String::new(), places: vec![Place::default(); list.len()] };
        let mut chars = 0;
        let mut line_start = 0;
        for line in source.split('\n') {
            if order.peek().is_none() {
                break;
            }
            let line_end = line_start + line.len();
            // The first message of the line decides where the line is cut.
            let mut window: Option<Range<usize>> = None;
            while let Some(i) = order.next_if(|&i| list[i].span.start <= line_end) {
                let span = &list[i].span;
                let window = window.get_or_insert_with(|| {
                    let at = span.start - line_start;
                    step(line, at, SHOWN_BEFORE, false)..step(line, at, SHOWN_FROM, true)
                });
                let column = |offset: usize| {
                    let at = (offset.clamp(line_start, line_end) - line_start)
                        .clamp(window.start, window.end);
                    line[window.start..at].chars().count()
                };
                excerpt.places[i] = Place {
                    chars: chars + column(span.start)..chars + column(span.end),
                    cut: window.start > 0,
                };
            }
            if let Some(window) = window {
                for c in line[window].chars() {
                    // What else would count as the end of a line, or hide the rest of it.
                    let shown =
                        if c != '\t' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
                            ' '
                        } else {
                            c
                        };
                    excerpt.text.push(shown);
                    chars += 1;
                }
            }
            excerpt.text.push('\n');
            chars += 1;
            line_start = line_end + 1;
        }
        excerpt
    }
}

/// The offset `count` characters before or behind `at`, within the line.
fn step(line: &str, at: usize, count: usize, forward: bool) -> usize {
    if forward {
        line[at..].char_indices().nth(count).map_or(line.len(), |(i, _)| at + i)
    } else {
        line[..at].char_indices().rev().nth(count - 1).map_or(0, |(i, _)| i)
    }
}
