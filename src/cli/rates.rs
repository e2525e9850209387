//! What the rates of a configuration make of a turn.
//!
//! A plan on the wire knows of no limits: what it expects is what the calls
//! take. Where the configuration is at hand, more can be said.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use crate::{
    config::Config,
    limits::{Rate, gate::Per},
    model::ApiName,
    proto::v1,
};

/// The rates of all APIs, and what a call of each tool pays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    apis: Vec<(ApiName, Vec<(Rate, Per)>)>,
    tools: HashMap<String, (ApiName, NonZeroU32)>,
}

/// A rate that spreads a turn's calls over time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Spread {
    /// Whose it is.
    pub(crate) api: ApiName,
    /// As it is written.
    pub(crate) rate: String,
    /// The turn's calls that it holds for.
    pub(crate) calls: usize,
    /// From the first call to the last, if nobody else takes a token.
    pub(crate) time: Duration,
}

impl Rates {
    /// Those of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let apis = config.bounds.apis.iter().filter(|api| !api.rates.is_empty());
        let tools = config.tools.iter().map(|(tool, _)| tool);
        Self {
            apis: apis.map(|api| (api.name.clone(), api.rates.clone())).collect(),
            tools: tools
                .map(|tool| (tool.name.to_string(), (tool.api.clone(), tool.cost)))
                .collect(),
        }
    }

    /// Of each API the rate that spreads the turn most, where one does.
    pub(crate) fn spreads(&self, plan: &v1::Plan) -> Vec<Spread> {
        let runs = plan.calls.iter().filter(|call| call.fault.is_none());
        let paid: Vec<_> = runs.filter_map(|call| self.tools.get(&call.tool)).collect();
        let spreads = self.apis.iter().filter_map(|(api, rates)| {
            let costs = paid.iter().filter(|(of, _)| of == api).map(|(_, cost)| cost.get());
            let tokens = costs.clone().fold(0, u32::saturating_add);
            let time = |rate: &Rate| {
                rate.period().saturating_mul(tokens.saturating_sub(rate.burst().get()))
            };
            let (rate, per) = rates.iter().max_by_key(|(rate, _)| time(rate))?;
            let rate_text = format!("{rate}{}", per.as_suffix());
            let time = time(rate);
            (!time.is_zero()).then(|| Spread {
                api: api.clone(),
                rate: rate_text,
                calls: costs.count(),
                time,
            })
        });
        spreads.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::waterfall::script, config::env::Process};

    const CONFIG: &str = "\
apis:
  slow: {url: 'http://localhost', rate: [10/s burst 4, 3/min per session]}
  wide: {url: 'http://localhost', rate: 1/s burst 4}
  free: {url: 'http://localhost'}
tools:
  dear: {description: x, http: {api: slow, get: /}}
  wide: {description: x, cost: 2, http: {api: wide, get: /}}
  free: {description: x, http: {api: free, get: /}}
";

    fn spreads(calls: &[(&str, u64)]) -> Vec<Spread> {
        let config = crate::config::read("test.yaml", CONFIG, &Process).unwrap();
        Rates::of(&config).spreads(&script::plan(calls, &[]))
    }

    #[test]
    fn what_fits_into_the_burst_is_not_spread() {
        assert_eq!(spreads(&[]), []);
        assert_eq!(spreads(&[("free", 1); 99]), []);
        assert_eq!(spreads(&[("unknown", 1), ("dear", 1), ("wide", 1), ("wide", 1)]), []);
    }

    #[test]
    fn the_slowest_rate_of_an_api_counts_and_each_call_at_its_cost() {
        let spread = |api, rate: &str, calls, seconds| Spread {
            api: ApiName::try_new(api).unwrap(),
            rate: rate.to_owned(),
            calls,
            time: Duration::from_secs(seconds),
        };
        assert_eq!(
            spreads(&[("dear", 1), ("wide", 1), ("dear", 1), ("wide", 1), ("wide", 1)]),
            [spread("slow", "3/min per session", 2, 20), spread("wide", "1/s burst 4", 3, 2)]
        );
    }
}
