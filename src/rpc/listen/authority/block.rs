//! A header block, read byte by byte (RFC 7541).
//!
//! The tables need not be known: what a byte is depends on lengths alone.

/// In the static table (RFC 7541, appendix A).
const AUTHORITY_INDEX: u64 = 1;
const AUTHORITY: &[u8] = b":authority";

/// Where in the header block the next byte stands (RFC 7541, section 6).
#[derive(Debug)]
pub(super) enum Block {
    Field,
    Integer {
        of: Integer,
        value: u64,
        shift: u32,
    },
    /// The first byte of a string's length.
    Length {
        of: Text,
    },
    Text {
        of: Text,
        rest: u64,
        is_plain: bool,
        read: usize,
        is_authority: bool,
    },
}

/// What an integer is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Integer {
    /// A field that is in a table, or a table's size: there is nothing behind it.
    Whole,
    /// The index of a field's name.
    Name,
    Length {
        of: Text,
        is_plain: bool,
    },
}

/// Which string of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Name,
    Value { is_authority: bool },
}

impl Block {
    /// Takes in the next byte and mends it.
    pub(super) fn take(&mut self, byte: &mut u8) {
        match self {
            Self::Field => *self = Self::field(*byte),
            Self::Integer { of, value, shift } => {
                // What goes beyond 64 bits is refused by h2.
                let more = u64::from(*byte & 0x7f).checked_shl(*shift).unwrap_or(0);
                let value = value.saturating_add(more);
                *self = match byte {
                    0x80.. => Self::Integer { of: *of, value, shift: shift.saturating_add(7) },
                    _ => Self::after(*of, value),
                };
            }
            Self::Length { of } => {
                let of = Integer::Length { of: *of, is_plain: *byte & 0x80 == 0 };
                *self = Self::integer(of, *byte, 0x7f);
            }
            Self::Text { of, rest, is_plain, read, is_authority } => {
                match of {
                    Text::Name => {
                        *is_authority &= *is_plain && AUTHORITY.get(*read) == Some(byte);
                        *read += 1;
                    }
                    Text::Value { is_authority: true } if *is_plain && !is_of_a_host(*byte) => {
                        *byte = b'-';
                    }
                    Text::Value { .. } => {}
                }
                *rest -= 1;
                if *rest == 0 {
                    let is_authority = *is_authority && *read == AUTHORITY.len();
                    *self = Self::behind(*of, is_authority);
                }
            }
        }
    }

    /// A field by its first byte.
    fn field(byte: u8) -> Self {
        match byte {
            0x80.. => Self::integer(Integer::Whole, byte, 0x7f),
            0x40.. => Self::integer(Integer::Name, byte, 0x3f),
            0x20.. => Self::integer(Integer::Whole, byte, 0x1f),
            _ => Self::integer(Integer::Name, byte, 0x0f),
        }
    }

    /// An integer by its first byte, of which `mask` belongs to it.
    fn integer(of: Integer, byte: u8, mask: u8) -> Self {
        let value = u64::from(byte & mask);
        if byte & mask == mask {
            Self::Integer { of, value, shift: 0 }
        } else {
            Self::after(of, value)
        }
    }

    fn after(integer: Integer, value: u64) -> Self {
        match (integer, value) {
            (Integer::Whole, _) => Self::Field,
            (Integer::Name, 0) => Self::Length { of: Text::Name },
            (Integer::Name, index) => {
                Self::Length { of: Text::Value { is_authority: index == AUTHORITY_INDEX } }
            }
            (Integer::Length { of, .. }, 0) => Self::behind(of, false),
            (Integer::Length { of, is_plain }, rest) => {
                Self::Text { of, rest, is_plain, read: 0, is_authority: true }
            }
        }
    }

    /// What follows a string.
    fn behind(text: Text, is_authority: bool) -> Self {
        match text {
            Text::Name => Self::Length { of: Text::Value { is_authority } },
            Text::Value { .. } => Self::Field,
        }
    }
}

/// Whether a byte may stand in `host[:port]` (RFC 3986), percent-encoding aside.
fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]!$&'()*+,;=@".contains(&byte)
}
