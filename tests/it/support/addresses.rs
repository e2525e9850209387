//! Addresses for servers that cannot be told "any port" or must come back on theirs.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Below it are the ports of what is installed on a machine.
const FIRST: u32 = 10_000;
/// Where Linux begins with those that it gives out, unless told otherwise.
const USUAL_END: u32 = 32_768;

/// An address of this machine that nobody has, nor will be given: not by the system,
/// which takes the port of each connection and of who asks for any from others, and
/// not by this function.
pub(crate) fn own_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let ports = given_out().filter(|end| *end > FIRST + 1000).unwrap_or(USUAL_END) - FIRST;
    // Two runs at once begin at different ones.
    let first = process::id().wrapping_mul(127) % ports;
    for _ in 0..ports {
        let port = FIRST + (first + GIVEN.fetch_add(1, Relaxed)) % ports;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}

/// The first port that the system gives to whoever asks for any.
fn given_out() -> Option<u32> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}
