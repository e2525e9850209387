//! Who may reach the server.

use crate::{
    config::file::{Decoder, decode::Placed},
    rpc::listen::Tcp,
};

/// Refuses an address that others reach where nothing authenticates its callers and
/// nobody said in words that this is meant. They are `authenticated` where each of them
/// proves who it is whatever it connects to.
pub(super) fn check(tcp: &Placed<Tcp>, authenticated: bool, decoder: &mut Decoder<'_>) {
    let Placed { value: tcp, place } = tcp;
    if !tcp.exposed && !tcp.is_guarded(authenticated) {
        let what = format!("`{}` {}", tcp.address, Tcp::REACHABLE);
        decoder.fault_at(place, what, Tcp::guards());
    }
}
