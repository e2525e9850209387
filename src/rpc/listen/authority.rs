//! Lets clients in that name a Unix socket's path as their authority.
//!
//! gRPC's C core, and so Python's `grpcio`, sends the percent-encoded path as
//! `:authority` (`grpc/grpc#38142`), others the path as it is. Neither is a host,
//! and h2 ends such streams with PROTOCOL_ERROR (`hyperium/h2#487`). Nothing here
//! reads the authority of a Unix socket, so the characters that no host has are
//! replaced as the bytes pass, each by one byte: no length changes, neither of
//! the frame nor in the header table (RFC 7541) that both sides keep.

mod block;

use block::Block;

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Reads along with a connection, however its bytes are cut.
#[derive(Debug)]
pub(super) struct Authority {
    frame: Frame,
    block: Block,
}

/// Where in the frames the next byte stands.
#[derive(Debug)]
enum Frame {
    /// So many bytes of the preface have come.
    Preface(usize),
    /// Not HTTP/2: nothing is looked at.
    Foreign,
    Head {
        bytes: [u8; 9],
        read: usize,
    },
    /// The length of the padding of a HEADERS frame.
    PadLength {
        rest: usize,
        priority: usize,
    },
    /// The header block and what surrounds it.
    Block {
        skip: usize,
        rest: usize,
        padding: usize,
    },
    /// A payload that does not matter.
    Skip(usize),
}

impl Authority {
    pub(super) fn new() -> Self {
        Self { frame: Frame::Preface(0), block: Block::Field }
    }

    /// Takes in the next bytes and mends them.
    pub(super) fn mend(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = self.step(bytes).clamp(1, bytes.len());
            bytes = &mut bytes[taken..];
        }
    }

    /// Gives how many bytes it took; none are left over of what it did not.
    fn step(&mut self, bytes: &mut [u8]) -> usize {
        match &mut self.frame {
            Frame::Foreign => bytes.len(),
            Frame::Preface(read) => {
                if PREFACE.get(*read) != Some(&bytes[0]) {
                    self.frame = Frame::Foreign;
                } else if *read + 1 == PREFACE.len() {
                    self.frame = Frame::head();
                } else {
                    *read += 1;
                }
                1
            }
            Frame::Head { bytes: head, read } => {
                head[*read] = bytes[0];
                *read += 1;
                if *read == head.len() {
                    self.frame = Frame::payload(*head);
                }
                1
            }
            Frame::PadLength { rest, priority } => {
                let padding = usize::from(bytes[0]);
                let rest = rest.saturating_sub(*priority + padding);
                self.frame = Frame::Block { skip: *priority, rest, padding }.or_head();
                1
            }
            Frame::Block { skip, rest, padding } => {
                let taken;
                if *skip > 0 {
                    taken = bytes.len().min(*skip);
                    *skip -= taken;
                } else {
                    taken = bytes.len().min(*rest);
                    for byte in &mut bytes[..taken] {
                        self.block.take(byte);
                    }
                    *rest -= taken;
                }
                if (*skip, *rest) == (0, 0) {
                    self.frame = Frame::Skip(*padding).or_head();
                }
                taken
            }
            Frame::Skip(rest) => {
                let taken = bytes.len().min(*rest);
                *rest -= taken;
                if *rest == 0 {
                    self.frame = Frame::head();
                }
                taken
            }
        }
    }
}

impl Frame {
    fn head() -> Self {
        Self::Head { bytes: [0; 9], read: 0 }
    }

    /// What follows a frame's head (RFC 9113, section 4.1).
    fn payload([high, middle, low, kind, flags, ..]: [u8; 9]) -> Self {
        let rest = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let priority = if kind == HEADERS && flags & PRIORITY != 0 { 5 } else { 0 };
        match kind {
            HEADERS if flags & PADDED != 0 && rest > 0 => {
                Self::PadLength { rest: rest - 1, priority }
            }
            HEADERS | CONTINUATION => {
                Self::Block { skip: priority, rest: rest.saturating_sub(priority), padding: 0 }
                    .or_head()
            }
            _ => Self::Skip(rest).or_head(),
        }
    }

    /// The next frame, where nothing is left of this one.
    fn or_head(self) -> Self {
        match self {
            Self::Skip(0) => Self::head(),
            Self::Block { skip: 0, rest: 0, padding } => Self::Skip(padding).or_head(),
            frame => frame,
        }
    }
}

#[cfg(test)]
mod tests;
