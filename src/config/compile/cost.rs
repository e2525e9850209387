//! A call that costs more than a bucket ever holds would wait for ever.

use std::num::NonZeroU32;

use super::{Apis, Tools};
use crate::config::file::{Decoder, Placed, scalar::Count};

/// Most tokens that a call may be declared to cost.
pub(in crate::config) type Cost = Count<1_000_000>;

/// Refuses a cost that a rate of the tool's API never has at once.
pub(super) fn check(apis: &Apis, tools: &Tools, decoder: &mut Decoder<'_>) {
    for tool in tools.0.iter().filter_map(|entry| entry.value.as_ref()) {
        let api = tool.http.as_ref().and_then(|request| request.api.as_ref());
        let (Some(api), Some(Some(cost))) = (api, &tool.cost) else { continue };
        let api = apis.0.iter().find(|entry| entry.text == api.value.as_str());
        let rates = api.and_then(|entry| entry.value.as_ref()?.rate.as_ref());
        for limit in rates.into_iter().flat_map(|rates| &rates.0) {
            if tokens(Some(cost)) > limit.rate.burst() {
                let what = format!(
                    "a call costs {} tokens, and `{}` never has more than {} at once",
                    cost.value.0,
                    limit.rate,
                    limit.rate.burst()
                );
                let fix = format!("lower it, or give the rate `burst {}`", cost.value.0);
                decoder.fault_at(&cost.place, what, fix);
            }
        }
    }
}

/// What a call costs; 1 where nothing is said.
pub(super) fn tokens(cost: Option<&Placed<Cost>>) -> NonZeroU32 {
    let cost = cost.and_then(|cost| u32::try_from(cost.value.0.get()).ok());
    cost.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}
