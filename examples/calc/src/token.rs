//! The tokenizer.

use crate::{Pos, SourceError};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A number.
    Number(f64),
    /// A name or a keyword.
    Word(String),
    /// An operator or a punctuation mark.
    Symbol(&'static str),
    /// The end of the source.
    End,
}

impl Token {
    /// The token as messages name it.
    pub fn describe(&self) -> String {
        match self {
            Token::Number(value) => format!("`{value}`"),
            Token::Word(word) => format!("`{word}`"),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end of the file".to_owned(),
        }
    }
}

/// Longer symbols stand before those that they start with.
const SYMBOLS: [&str; 18] =
    ["<=", ">=", "==", "!=", "<", ">", "=", "+", "-", "*", "/", "^", "(", ")", "{", "}", ",", ";"];

/// Splits the source into tokens, the last of which is [`Token::End`].
///
/// # Errors
/// If a character belongs to no token, or a number is malformed.
pub fn tokenize(source: &str) -> Result<Vec<(Token, Pos)>, SourceError> {
    let mut tokens = Vec::new();
    let mut line = 0;
    for text in source.lines() {
        line += 1;
        let (mut at, mut column) = (0, 1);
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let pos = Pos { line, column };
            let prefix = |belongs: fn(char) -> bool| {
                &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())]
            };
            let (token, len) = if first == '#' {
                break;
            } else if first.is_whitespace() {
                at += first.len_utf8();
                column += 1;
                continue;
            } else if first.is_ascii_digit() {
                let digits = prefix(|c| c.is_ascii_alphanumeric() || c == '.');
                let number = digits
                    .parse()
                    .map_err(|_| SourceError::new(pos, format!("`{digits}` is not a number")))?;
                (Token::Number(number), digits.len())
            } else if first.is_alphabetic() || first == '_' {
                let word = prefix(|c| c.is_alphanumeric() || c == '_');
                (Token::Word(word.to_owned()), word.len())
            } else if let Some(symbol) = SYMBOLS.into_iter().find(|s| rest.starts_with(s)) {
                (Token::Symbol(symbol), symbol.len())
            } else {
                return Err(SourceError::new(pos, format!("unexpected character `{first}`")));
            };
            tokens.push((token, pos));
            at += len;
            column += rest[..len].chars().count() as u32;
        }
    }
    tokens.push((Token::End, Pos { line: line.max(1), column: 1 + last_column(source) }));
    Ok(tokens)
}

fn last_column(source: &str) -> u32 {
    source.lines().last().map_or(0, |line| line.chars().count() as u32)
}
