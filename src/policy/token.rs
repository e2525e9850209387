//! Tokens, known by their hashes alone.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A token's SHA-256. Whoever reads it here cannot show the token.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Token([u8; 32]);

impl Token {
    /// Tokens of fewer bytes can be guessed.
    pub const BYTES_MIN: usize = 16;

    /// That of a token.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Reads the 64 hexadecimal digits that `sha256sum` writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = 16 * value(*high)? + value(*low)?;
        }
        Some(Self(hash))
    }
}

fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl ConstantTimeEq for Token {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A weak token can be found by its hash.
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_what_sha256sum_writes() {
        // printf %s abc | sha256sum
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Token::from_hex(hex), Some(Token::of("abc")));
        assert_eq!(Token::from_hex(&hex.to_uppercase()), Some(Token::of("abc")));
        assert_ne!(Token::from_hex(hex), Some(Token::of("abc\n")));
    }

    #[test]
    fn what_is_not_64_digits_is_no_hash() {
        let digits = "0".repeat(64);
        assert!(Token::from_hex(&digits).is_some());
        for text in ["", &digits[1..], &format!("{digits}0"), &format!("g{}", &digits[1..])] {
            assert_eq!(Token::from_hex(text), None, "{text}");
        }
        assert_eq!(Token::from_hex(&"ü".repeat(32)), None);
    }

    #[test]
    fn neither_a_token_nor_its_hash_is_shown() {
        assert_eq!(format!("{:?}", Token::of("swordfish")), "Token(…)");
    }
}
