//! How many calls in how much time.

use std::{fmt, num::NonZeroU32, time::Duration};

/// `10/s burst 20`: so many tokens a period, and so many at once.
///
/// Without `burst` calls are spaced evenly. In any window at most
/// `burst + window / period` tokens are granted, which is never more than
/// `burst + rate × window`: the period of one token is rounded up to the
/// nanosecond.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    count: NonZeroU32,
    unit: Unit,
    burst: NonZeroU32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

/// Why a text is no rate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Unit {
    const NAMES: [(&'static str, Self); 4] =
        [("s", Self::Second), ("min", Self::Minute), ("h", Self::Hour), ("day", Self::Day)];

    fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        })
    }

    fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| name)
    }
}

impl Rate {
    /// Reads `COUNT/UNIT` or `COUNT/UNIT burst COUNT`; units are `s`, `min`, `h`
    /// and `day`.
    ///
    /// # Errors
    ///
    /// What is wrong, and what would be right.
    pub fn try_new(text: &str) -> Result<Self, Error> {
        let mut words = text.split_whitespace();
        let rate = words.next().ok_or_else(|| Error("the rate is empty".to_owned()))?;
        let (count, unit) =
            rate.split_once('/').ok_or_else(|| Error(format!("`{rate}` has no `/`")))?;
        let count = whole(count, "the count")?;
        let unit = Unit::NAMES
            .into_iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, unit)| unit)
            .ok_or_else(|| Error(format!("`{unit}` is no unit: s, min, h or day")))?;
        let burst = match (words.next(), words.next(), words.next()) {
            (None, ..) => NonZeroU32::MIN,
            (Some("burst"), Some(burst), None) => whole(burst, "the burst")?,
            (Some("burst"), None, _) => return Err(Error("`burst` lacks its count".to_owned())),
            (Some(word), ..) if word != "burst" => {
                return Err(Error(format!("`{word}` stands where only `burst` may")));
            }
            _ => return Err(Error("something follows the burst".to_owned())),
        };
        Ok(Self { count, unit, burst })
    }

    /// The time that one token takes to come back, rounded up to the nanosecond.
    pub fn period(self) -> Duration {
        let nanos = self.unit.duration().as_nanos().div_ceil(u128::from(self.count.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Tokens that may be taken at once.
    pub fn burst(self) -> NonZeroU32 {
        self.burst
    }
}

fn whole(text: &str, what: &str) -> Result<NonZeroU32, Error> {
    text.parse().map_err(|_| Error(format!("{what} `{text}` is not a whole number above 0")))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.unit.name())?;
        match self.burst.get() {
            1 => Ok(()),
            burst => write!(f, " burst {burst}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_rate_is_refused_with_what_is_wrong() {
        for (text, says) in [
            ("", "the rate is empty"),
            ("10", "has no `/`"),
            ("/s", "the count ``"),
            ("0/s", "is not a whole number above 0"),
            ("-1/s", "is not a whole number above 0"),
            ("1.5/s", "is not a whole number above 0"),
            ("10/", "`` is no unit"),
            ("10/m", "`m` is no unit: s, min, h or day"),
            ("10/s 20", "`20` stands where only `burst` may"),
            ("10/s burst", "lacks its count"),
            ("10/s burst 0", "the burst `0`"),
            ("10/s burst 20 30", "something follows"),
            ("99999999999/s", "is not a whole number above 0"),
        ] {
            let error = Rate::try_new(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_period_is_rounded_up_so_that_no_more_than_the_rate_passes() {
        for (text, nanos, burst) in [
            ("1/s", 1_000_000_000, 1),
            ("3/s", 333_333_334, 1),
            ("300/min", 200_000_000, 1),
            ("7/min burst 7", 8_571_428_572, 7),
            ("100/day", 864_000_000_000, 1),
            ("1/h burst 2", 3_600_000_000_000, 2),
        ] {
            let rate = Rate::try_new(text).unwrap();
            assert_eq!(rate.period(), Duration::from_nanos(nanos), "{text}");
            assert_eq!(rate.burst().get(), burst);
            assert_eq!(rate.to_string(), text);
        }
    }
}
