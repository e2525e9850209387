//! The names in a certificate that was verified.

/// What a client's certificate says of it. Only one that an authority of the
/// listener vouches for comes to be one of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Certificate {
    /// Its DNS names.
    pub dns: Vec<String>,
    /// Its URIs, such as a SPIFFE ID.
    pub uris: Vec<String>,
    /// Its subject's common name, where it has one that is text.
    pub common_name: Option<String>,
}
