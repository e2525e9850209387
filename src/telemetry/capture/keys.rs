//! Keys that name something secret.

use std::collections::HashSet;

use crate::model::text::floor_char_boundary;

/// What is secret by its key, whatever configuration there is.
const USUAL: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passkey",
    "pwd",
    "secret",
    "client_secret",
    "secret_key",
    "token",
    "access_token",
    "auth_token",
    "refresh_token",
    "id_token",
    "session_token",
    "csrf_token",
    "xsrf_token",
    "api_key",
    "access_key",
    "auth_key",
    "private_key",
    "signing_key",
    "encryption_key",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "session_id",
    "sid",
    "signature",
    "sig",
    "pin",
    "otp",
    "card_number",
    "cvv",
    "cvc",
    "credential",
    "connection_string",
    "dsn",
    "jwt",
];

/// Longer keys are read as far as this.
const KEY_BYTES_MAX: usize = 256;

/// Keys, each as its words without what stands between them.
#[derive(Debug)]
pub(super) struct Keys {
    joined: HashSet<String>,
    longest: usize,
}

impl Keys {
    /// The usual ones and these.
    pub(super) fn new(more: &[String]) -> Self {
        let all = USUAL.iter().copied().chain(more.iter().map(String::as_str));
        let joined: HashSet<String> = all.map(joined).filter(|key| !key.is_empty()).collect();
        let longest = joined.iter().map(String::len).max().unwrap_or(0);
        Self { joined, longest }
    }

    /// Whether words of the key that stand side by side are one of these: `apiKey`,
    /// `X-API-KEY` and `old_api_keys` are `api_key`, and `keyboard` is not.
    pub(super) fn has(&self, key: &str) -> bool {
        let words = words(key);
        (0..words.len()).any(|from| {
            let mut run = String::new();
            words[from..].iter().any(|word| {
                run.push_str(word);
                let is_one = |run: &str| self.joined.contains(run);
                // A word more makes it longer only.
                run.len() <= self.longest + 1
                    && (is_one(&run) || run.strip_suffix('s').is_some_and(is_one))
            })
        })
    }
}

/// The words of a key as one.
pub(super) fn joined(key: &str) -> String {
    words(key).concat()
}

/// The words of a key in lower case: they end at what is no letter and no digit,
/// between letters and digits, and where a capital begins the next.
fn words(key: &str) -> Vec<String> {
    let key = &key[..floor_char_boundary(key, KEY_BYTES_MAX)];
    let characters: Vec<char> = key.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for (at, character) in characters.iter().copied().enumerate() {
        if !character.is_alphanumeric() {
            before = None;
            continue;
        }
        let is_next = |before: char| {
            let after = characters.get(at + 1).copied();
            // `APIKey`: the last capital of several belongs to what follows.
            let ends_capitals = before.is_uppercase() && after.is_some_and(char::is_lowercase);
            before.is_numeric() != character.is_numeric()
                || character.is_uppercase() && (!before.is_uppercase() || ends_capitals)
        };
        if before.is_none_or(is_next) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
        before = Some(character);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_words_in_whatever_style_it_is_written() {
        let keys = Keys::new(&["tax id".to_owned()]);
        for key in [
            "password",
            "PASSWORD",
            "userPassword",
            "pass_word",
            "new-password-2",
            "token2",
            "oauth2Token",
            "apiKey",
            "APIKey",
            "api key",
            "X-API-KEY",
            "apikeys",
            "x-amz-security-token",
            "accesstoken",
            "Set-Cookie",
            "Proxy-Authorization",
            "credentials",
            "DB_CONNECTION_STRING",
            "basicAuth",
            "X-Amz-Signature",
            "sessionId",
            "PIN",
            "otp2",
            "creditCardNumber",
            "taxId",
            "tax_ids",
        ] {
            assert!(keys.has(key), "{key}");
        }
    }

    #[test]
    fn each_of_the_usual_keys_is_known_and_told_to_whoever_configures_them() {
        let (keys, page) = (Keys::new(&[]), include_str!("../../../docs/config.md"));
        for key in USUAL {
            assert!(keys.has(key), "{key}");
            assert!(page.contains(&format!("`{key}`")), "docs/config.md does not name {key}");
        }
    }

    #[test]
    fn a_word_that_only_holds_one_is_another_word() {
        let keys = Keys::new(&[]);
        for key in [
            "",
            "-",
            "keyboard",
            "tokenizer",
            "secretary",
            "author",
            "key",
            "api",
            "taxId",
            "session",
            "card",
            "shipping",
            "design",
            "side",
        ] {
            assert!(!keys.has(key), "{key}");
        }
        // Of one that is very long the beginning is looked at.
        assert!(!keys.has(&("x".repeat(KEY_BYTES_MAX) + "_password")));
        assert!(keys.has(&("password_".to_owned() + &"x_".repeat(1000))));
    }
}
