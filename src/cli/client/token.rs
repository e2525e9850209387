//! The token that a command shows to a server.

use std::path::{Path, PathBuf};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
};

use super::{Error, address::Address};
use crate::{
    cli::ServerArgs,
    config::env::{self, Environment, Variable},
};

/// The variable that holds a token itself.
const VARIABLE: &str = "SIDECALL_TOKEN";

/// What a token is.
const ONE_WORD: &str = "a token is one word of letters, digits and signs";

/// Shows its token with every RPC, where it has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    bearer: Option<MetadataValue<Ascii>>,
    /// Where it stands, for people.
    place: String,
    /// Its file, read again with every RPC: whoever rotates tokens writes it anew. Not a
    /// pipe, which says it once.
    file: Option<PathBuf>,
}

impl Interceptor for Shown {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let again = self.file.as_deref().map(|path| read(path, &env::Process));
        // Of a file that holds none any more the server says best what that means.
        if let Some(bearer) = again.and_then(|text| bearer(&text.ok()?)) {
            self.bearer = Some(bearer);
        }
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

impl Shown {
    /// What to do where the server does not know who asks.
    pub(crate) fn advice(&self) -> String {
        match &self.bearer {
            None => format!(
                "No token was shown: name its file with --token-file or SIDECALL_TOKEN_FILE, or \
                 set {VARIABLE}. Who may call stands under `callers` in the server's configuration."
            ),
            Some(_) => format!(
                "The token of {} was shown; the server's log says why it did not do.",
                self.place
            ),
        }
    }

    /// That of the file that is named, or else of the environment.
    ///
    /// # Errors
    ///
    /// It cannot be read, is none, or would travel for everyone to read.
    pub(crate) fn of(args: &ServerArgs, environment: &dyn Environment) -> Result<Self, Error> {
        let found = match &args.token_file {
            Some(path) => Some((read(path, environment)?, path.display().to_string())),
            None => match environment.variable(VARIABLE) {
                Variable::Set(text) if !text.trim().is_empty() => Some((text, VARIABLE.to_owned())),
                Variable::Set(_) | Variable::Missing => None,
                Variable::NotUnicode => {
                    return Err(Error::Usage(format!("{VARIABLE} holds no token: it is no text")));
                }
            },
        };
        let Some((text, place)) = found else { return Ok(Self::default()) };
        let Some(bearer) = bearer(&text) else {
            return Err(Error::Usage(format!("{place} holds no token: {ONE_WORD}")));
        };
        if args.at.address.parse().is_ok_and(|address: Address| address.is_open()) {
            return Err(Error::Usage(format!(
                "the token of {place} would travel to {} for everyone on the way to read; use a \
                 Unix socket, TLS or loopback, or show none",
                args.at.address
            )));
        }
        let file = args.token_file.clone().filter(|path| path.is_file());
        Ok(Self { bearer: Some(bearer), place, file })
    }
}

/// A token as it travels; nothing where the text is none.
fn bearer(text: &str) -> Option<MetadataValue<Ascii>> {
    let token = text.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let bearer = is_token.then(|| format!("Bearer {token}").parse().ok()).flatten();
    bearer.map(|mut bearer: MetadataValue<Ascii>| {
        bearer.set_sensitive(true);
        bearer
    })
}

fn read(path: &Path, environment: &dyn Environment) -> Result<String, Error> {
    let bytes = environment.file(path).map_err(|error| error.to_string());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is no text".into()));
    text.map_err(|why| {
        let path = path.display();
        Error::Usage(format!("the token's file {path} cannot be read: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use super::*;

    /// One variable, and one file.
    struct Fixed(Variable, Option<&'static [u8]>);

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> Variable {
            assert_eq!(name, VARIABLE);
            self.0.clone()
        }

        fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
            assert_eq!(path, Path::new("/token"));
            self.1.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn shown(address: &str, has_file: bool, environment: &Fixed) -> Result<Option<String>, String> {
        let token_file = has_file.then(|| PathBuf::from("/token"));
        let args = ServerArgs { token_file, ..ServerArgs::from(address.to_owned()) };
        let mut shown = Shown::of(&args, environment).map_err(|error| error.to_string())?;
        let request = shown.call(Request::new(())).unwrap();
        let bearer = request.metadata().get("authorization");
        Ok(bearer.map(|value| value.to_str().unwrap().to_owned()))
    }

    const SOCKET: &str = "unix:///run/a.sock";

    fn set(text: &str) -> Variable {
        Variable::Set(text.to_owned())
    }

    #[test]
    fn the_file_goes_before_the_environment_and_nothing_is_shown_without_either() {
        let both = Fixed(set("of-the-variable"), Some(b"of-the-file\n"));
        assert_eq!(shown(SOCKET, true, &both).unwrap().unwrap(), "Bearer of-the-file");
        assert_eq!(shown(SOCKET, false, &both).unwrap().unwrap(), "Bearer of-the-variable");
        for nothing in [Variable::Missing, set(" ")] {
            assert_eq!(shown(SOCKET, false, &Fixed(nothing, None)).unwrap(), None);
        }
    }

    #[test]
    fn a_file_is_read_again_with_each_rpc_and_its_last_token_holds_while_it_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let args =
            ServerArgs { token_file: Some(path.clone()), ..ServerArgs::from(SOCKET.to_owned()) };
        let mut client = Shown::of(&args, &env::Process).unwrap();
        let mut shows = || {
            let request = client.call(Request::new(())).unwrap();
            request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(shows(), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(shows(), "Bearer two");
        for nothing in ["", "two words", "\n"] {
            std::fs::write(&path, nothing).unwrap();
            assert_eq!(shows(), "Bearer two");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(shows(), "Bearer two");
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        let missing = || Variable::Missing;
        for (has_file, environment, says) in [
            (true, Fixed(missing(), None), "/token cannot be read"),
            (true, Fixed(missing(), Some(b"\n")), "holds no token"),
            (true, Fixed(missing(), Some(b"sword fish")), "holds no token"),
            (true, Fixed(missing(), Some(b"\xff")), "is no text"),
            (false, Fixed(set("sword\nfish"), None), "SIDECALL_TOKEN holds no token"),
            (false, Fixed(Variable::NotUnicode, None), "SIDECALL_TOKEN holds no token"),
        ] {
            let error = shown(SOCKET, has_file, &environment).unwrap_err();
            assert!(error.contains(says) && !error.contains("fish"), "{error}");
        }
    }

    #[test]
    fn a_token_is_shown_where_nobody_on_the_way_can_read_it() {
        let environment = Fixed(set("swordfish"), None);
        for address in [
            SOCKET,
            "127.0.0.1:7070",
            "http://[::1]:7070",
            "localhost:7070",
            "https://sidecall.agents.svc:7070",
        ] {
            assert!(shown(address, false, &environment).unwrap().is_some(), "{address}");
        }
        for address in ["10.0.0.7:7070", "http://sidecall.agents.svc:7070", "http://[fd00::1]:1"] {
            let error = shown(address, false, &environment).unwrap_err();
            assert!(error.contains("would travel") && !error.contains("swordfish"), "{error}");
            // Without a token anything goes.
            let nothing = Fixed(Variable::Missing, None);
            assert_eq!(shown(address, false, &nothing).unwrap(), None);
        }
    }
}
