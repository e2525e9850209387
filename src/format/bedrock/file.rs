//! Which files the API takes, and how it calls them.

use crate::format::writer::{File, file};

/// The most bytes of an image and of a document, as the API states them.
const IMAGE_BYTES_MAX: usize = 3_750_000;
const DOCUMENT_BYTES_MAX: usize = 4_500_000;
/// A video's base64 is smaller than 25 MB.
const VIDEO_BYTES_MAX: usize = 18_750_000;

/// Media types of documents, and the API's names of their formats.
const DOCUMENTS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

/// The same of videos.
const VIDEOS: [(&str, &str); 8] = [
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/x-matroska", "mkv"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];

/// A file that the API takes, with the API's name of its format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Image(&'static str),
    Document(&'static str),
    Video(&'static str),
}

impl Kind {
    /// The block of a file; documents have names.
    pub(super) fn block(self, name: &str, base64: &str) -> String {
        let (kind, format, name) = match self {
            Self::Image(format) => ("image", format, String::new()),
            Self::Video(format) => ("video", format, String::new()),
            Self::Document(format) => ("document", format, format!(r#""name":"{name}","#)),
        };
        format!(r#"{{"{kind}":{{"format":"{format}",{name}"source":{{"bytes":"{base64}"}}}}}}"#)
    }
}

/// What a file is: by its bytes where they tell, else by what the backend called
/// it; `None` where the API does not take it.
pub(super) fn kind(media_type: &str, data: &[u8]) -> Option<Kind> {
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let find = |table: &[(&str, &'static str)]| {
        let found = table.iter().find(|(name, _)| name.eq_ignore_ascii_case(media_type));
        found.map(|(_, format)| *format)
    };
    let kind = match file(data) {
        Some(File::Image(name)) => Kind::Image(name.strip_prefix("image/")?),
        Some(File::Pdf) => Kind::Document("pdf"),
        None => match (find(&DOCUMENTS).filter(|format| *format != "pdf"), find(&VIDEOS)) {
            (Some(format), _) => Kind::Document(format),
            (None, Some(format)) => Kind::Video(format),
            (None, None) => return None,
        },
    };
    let bytes_max = match kind {
        Kind::Image(_) => IMAGE_BYTES_MAX,
        Kind::Document(_) => DOCUMENT_BYTES_MAX,
        Kind::Video(_) => VIDEO_BYTES_MAX,
    };
    (1..=bytes_max).contains(&data.len()).then_some(kind)
}
