//! Where what is told goes, for people.

use std::{
    fmt::{self, Display},
    net::SocketAddr,
};

use super::Settings;

impl Settings {
    /// Where metrics and traces can be had, or why there are none. Metrics are read at
    /// `admin`.
    pub fn ways(&self, admin: Option<SocketAddr>) -> impl Display {
        Ways { settings: self, admin }
    }
}

struct Ways<'a> {
    settings: &'a Settings,
    admin: Option<SocketAddr>,
}

impl Display for Ways<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let otlp = self.settings.otlp.as_ref();
        let collector = otlp.and_then(|otlp| otlp.metrics.as_ref());
        let admin = self.admin.filter(|_| self.settings.is_scraped);
        match (admin, collector) {
            (Some(admin), None) => write!(f, "Metrics are read at http://{admin}/metrics.")?,
            (None, Some(collector)) => write!(f, "Metrics are sent to {collector}.")?,
            (Some(admin), Some(collector)) => {
                write!(f, "Metrics are read at http://{admin}/metrics and sent to {collector}.")?;
            }
            (None, None) => {
                f.write_str(if self.admin.is_some() {
                    "Metrics are off: `listen.admin.metrics` says so, and no collector is named."
                } else {
                    "Metrics are off: neither `listen.admin` nor a collector is named."
                })?;
            }
        }
        let collector = otlp.and_then(|otlp| otlp.traces.as_ref());
        match (collector, self.settings.untraced_by) {
            (Some(collector), _) => write!(f, " Traces are sent to {collector}."),
            (None, Some(variable)) => write!(f, " Traces are off: `{variable}` says so."),
            (None, None) => f.write_str(
                " Traces are off: neither `telemetry.otlp.endpoint` nor \
                 `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::export;

    #[test]
    fn where_telemetry_goes_is_said_and_else_why_it_goes_nowhere() {
        let admin = Some(([127, 0, 0, 1], 9).into());
        let mut settings = Settings { is_scraped: true, ..Settings::default() };
        assert_eq!(
            settings.ways(None).to_string(),
            "Metrics are off: neither `listen.admin` nor a collector is named. Traces are off: \
             neither `telemetry.otlp.endpoint` nor `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector."
        );
        let hidden = Settings::default();
        assert!(hidden.ways(admin).to_string().starts_with(
            "Metrics are off: `listen.admin.metrics` says so, and no collector is named. Traces"
        ));
        settings.untraced_by = Some("OTEL_SDK_DISABLED");
        assert_eq!(
            settings.ways(admin).to_string(),
            "Metrics are read at http://127.0.0.1:9/metrics. Traces are off: \
             `OTEL_SDK_DISABLED` says so."
        );
        let to_one = export::Settings::new("http://a:1");
        settings.otlp = Some(export::Settings { metrics: Some("http://b:2".into()), ..to_one });
        assert_eq!(
            settings.ways(admin).to_string(),
            "Metrics are read at http://127.0.0.1:9/metrics and sent to http://b:2. \
             Traces are sent to http://a:1."
        );
        assert!(settings.ways(None).to_string().starts_with("Metrics are sent to http://b:2."));
    }
}
