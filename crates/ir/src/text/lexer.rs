//! Tokens of the text format, made one at a time.
//!
//! Nothing is kept but the position, so a lexer is cheap to copy (the parser looks ahead with a
//! copy) and a function body can be read again from a remembered place. Every byte sequence has
//! tokens; what is not one of the language is a [`Kind::Error`].

/// What a token is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end of the text, or of the part of it that is being read.
    Eof,
    /// A word: keyword, opcode, register, block, type.
    Word,
    /// `%name` or `%"name"`.
    Func,
    /// `$name` or `$"name"`.
    Entity,
    /// Anything that starts like a number.
    Number,
    /// A string with its quotes.
    Str,
    /// `(`
    LParen,
    /// `)`
    RParen,
    /// `{`
    LBrace,
    /// `}`
    RBrace,
    /// `[`
    LBracket,
    /// `]`
    RBracket,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// `=`
    Equals,
    /// `->`
    Arrow,
    /// `@`
    At,
    /// Not a token; the text says why.
    Error(&'static str),
}

impl Kind {
    /// How messages name it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Kind::Eof => "end of text",
            Kind::Word => "a word",
            Kind::Func => "a function (`%name`)",
            Kind::Entity => "a name (`$name`)",
            Kind::Number => "a number",
            Kind::Str => "a string",
            Kind::LParen => "`(`",
            Kind::RParen => "`)`",
            Kind::LBrace => "`{`",
            Kind::RBrace => "`}`",
            Kind::LBracket => "`[`",
            Kind::RBracket => "`]`",
            Kind::Comma => "`,`",
            Kind::Colon => "`:`",
            Kind::Equals => "`=`",
            Kind::Arrow => "`->`",
            Kind::At => "`@`",
            Kind::Error(message) => message,
        }
    }
}

/// A token and its place.
#[derive(Copy, Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    /// Offset of its first byte.
    pub start: u32,
    /// Offset behind its last byte.
    pub end: u32,
    /// Its line, counted from 1.
    pub line: u32,
    /// Offset of the first byte of its line.
    pub line_start: u32,
    /// Whether nothing stands before it on its line.
    pub first: bool,
}

/// Reads tokens of `src[pos..end]`.
#[derive(Copy, Clone, Debug)]
pub(super) struct Lexer<'s> {
    src: &'s str,
    pos: usize,
    end: usize,
    line: u32,
    line_start: usize,
    first: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.'
}

impl<'s> Lexer<'s> {
    /// A lexer of the whole text.
    pub(super) fn new(src: &'s str) -> Lexer<'s> {
        Lexer { src, pos: 0, end: src.len(), line: 1, line_start: 0, first: true }
    }

    /// The same, but the text ends at `end`.
    pub(super) fn until(mut self, end: u32) -> Lexer<'s> {
        self.end = end as usize;
        self
    }

    fn at(&self, pos: usize) -> u8 {
        if pos < self.end { self.src.as_bytes()[pos] } else { 0 }
    }

    fn skip_while(&mut self, test: impl Fn(u8) -> bool) {
        while self.pos < self.end && test(self.src.as_bytes()[self.pos]) {
            self.pos += 1;
        }
    }

    fn skip_blanks(&mut self) {
        while self.pos < self.end {
            match self.at(self.pos) {
                b'\n' => {
                    self.pos += 1;
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.pos;
                    self.first = true;
                }
                b' ' | b'\t' | b'\r' => self.pos += 1,
                b';' => self.skip_while(|b| b != b'\n'),
                _ => break,
            }
        }
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Token {
        self.skip_blanks();
        let start = self.pos;
        let first = std::mem::replace(&mut self.first, false);
        let kind = if start >= self.end { Kind::Eof } else { self.scan() };
        Token {
            kind,
            start: start as u32,
            end: self.pos as u32,
            line: self.line,
            line_start: self.line_start as u32,
            first,
        }
    }

    fn scan(&mut self) -> Kind {
        let byte = self.at(self.pos);
        let next = self.at(self.pos + 1);
        self.pos += 1;
        match byte {
            b'(' => Kind::LParen,
            b')' => Kind::RParen,
            b'{' => Kind::LBrace,
            b'}' => Kind::RBrace,
            b'[' => Kind::LBracket,
            b']' => Kind::RBracket,
            b',' => Kind::Comma,
            b':' => Kind::Colon,
            b'=' => Kind::Equals,
            b'@' => Kind::At,
            b'"' => self.string(Kind::Str),
            b'%' => self.name(Kind::Func, "a function's name is missing after `%`"),
            b'$' => self.name(Kind::Entity, "a name is missing after `$`"),
            b'-' if next == b'>' => {
                self.pos += 1;
                Kind::Arrow
            }
            b'-' | b'+' if next.is_ascii_alphanumeric() || next == b'.' => self.number(),
            b'0'..=b'9' => {
                self.pos -= 1;
                self.number()
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let start = self.pos - 1;
                self.skip_while(is_word);
                if &self.src[start..self.pos] == "nan" {
                    self.nan_bits(Kind::Word)
                } else {
                    Kind::Word
                }
            }
            _ => {
                self.pos -= 1;
                let rest = &self.src[self.pos..self.end];
                self.pos += rest.chars().next().map_or(1, char::len_utf8);
                Kind::Error("a character that has no meaning here")
            }
        }
    }

    fn name(&mut self, kind: Kind, missing: &'static str) -> Kind {
        if self.at(self.pos) == b'"' {
            self.pos += 1;
            return self.string(kind);
        }
        let start = self.pos;
        self.skip_while(is_word);
        if self.pos == start { Kind::Error(missing) } else { kind }
    }

    /// The rest of a string, behind its first quote. A string ends on its line.
    fn string(&mut self, kind: Kind) -> Kind {
        loop {
            self.skip_while(|b| !matches!(b, b'"' | b'\\' | b'\n'));
            match self.at(self.pos) {
                b'"' => {
                    self.pos += 1;
                    return kind;
                }
                // The byte behind a backslash belongs to the string, unless it ends the line.
                b'\\' => {
                    self.pos += 1;
                    if self.pos < self.end
                        && self.at(self.pos).is_ascii()
                        && self.at(self.pos) != b'\n'
                    {
                        self.pos += 1;
                    }
                }
                _ => return Kind::Error("a string that is not closed on its line"),
            }
        }
    }

    /// The rest of a number, behind its sign.
    fn number(&mut self) -> Kind {
        let start = self.pos;
        let hex = self.at(start) == b'0' && matches!(self.at(start + 1), b'x' | b'X');
        loop {
            self.skip_while(is_word);
            // A sign belongs to the number right behind the letter of an exponent.
            let exponent = match self.at(self.pos.saturating_sub(1)) {
                b'e' | b'E' => !hex,
                b'p' | b'P' => hex,
                _ => false,
            };
            let sign = matches!(self.at(self.pos), b'+' | b'-');
            if !(exponent && sign && self.pos > start) {
                break;
            }
            self.pos += 1;
        }
        if &self.src[start..self.pos] == "nan" { self.nan_bits(Kind::Number) } else { Kind::Number }
    }

    /// Behind `nan`: the bits, if a colon and a number follow.
    fn nan_bits(&mut self, without: Kind) -> Kind {
        if self.at(self.pos) == b':' && self.at(self.pos + 1) == b'0' {
            self.pos += 1;
            self.skip_while(is_word);
            return Kind::Number;
        }
        without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        let mut lexer = Lexer::new(text);
        let mut list = Vec::new();
        loop {
            let token = lexer.next();
            if token.kind == Kind::Eof {
                return list;
            }
            list.push((token.kind, &text[token.start as usize..token.end as usize]));
        }
    }

    #[test]
    fn numbers_and_words() {
        let words = "i32.const -1 0x1.8p-3 1e+5 nan nan:0x7fc00000 -inf 0x1e-5";
        let expected = [
            (Kind::Word, "i32.const"),
            (Kind::Number, "-1"),
            (Kind::Number, "0x1.8p-3"),
            (Kind::Number, "1e+5"),
            (Kind::Word, "nan"),
            (Kind::Number, "nan:0x7fc00000"),
            (Kind::Number, "-inf"),
            (Kind::Number, "0x1e"),
            (Kind::Number, "-5"),
        ];
        assert_eq!(kinds(words), expected);
    }

    #[test]
    fn names_strings_and_arrows() {
        let expected = [
            (Kind::Func, "%f.1"),
            (Kind::Func, "%\"a b\""),
            (Kind::Arrow, "->"),
            (Kind::Entity, "$m"),
            (Kind::Str, "\"x\\\"\""),
        ];
        assert_eq!(kinds("%f.1 %\"a b\"->$m \"x\\\"\" ; comment"), expected);
    }

    #[test]
    fn what_is_no_token_is_an_error() {
        for text in ["\"abc\n", "\"abc\\", "%", "$ x", "é", "-", "\u{0}"] {
            assert!(matches!(kinds(text)[0].0, Kind::Error(_)), "{text:?}");
        }
    }
}
