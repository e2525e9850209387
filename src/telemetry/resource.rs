//! Who tells: what is said of the process itself, with every span and every metric.

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{IdGenerator, RandomIdGenerator},
};
use uuid::{Builder, Uuid};

/// The process, with these attributes in the place of its own.
pub(super) fn of(said: &[(String, String)]) -> Resource {
    let said = said.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_service_name("sidecall")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            // Two processes on one machine must not be one series.
            KeyValue::new("service.instance.id", instance().to_string()),
        ])
        .with_attributes(said)
        .build()
}

/// A random name, as the convention has it for those who were given none.
fn instance() -> Uuid {
    let random = RandomIdGenerator::default().new_trace_id();
    Builder::from_random_bytes(random.to_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(resource: &Resource, name: &'static str) -> String {
        resource.get(&name.into()).unwrap().as_str().into_owned()
    }

    #[test]
    fn a_process_is_told_from_every_other_and_says_which_sdk_it_speaks_with() {
        let (one, other) = (of(&[]), of(&[]));
        let id = said(&one, "service.instance.id");
        assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 4, "{id}");
        assert_ne!(id, said(&other, "service.instance.id"));
        assert_eq!(said(&one, "service.name"), "sidecall");
        assert_eq!(said(&one, "telemetry.sdk.name"), "opentelemetry");
        assert_eq!(said(&one, "telemetry.sdk.language"), "rust");
        assert!(said(&one, "telemetry.sdk.version").starts_with("0."));
    }

    #[test]
    fn what_somebody_says_of_it_holds() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let told = of(&[
            pair("service.instance.id", "pod-1"),
            pair("service.name", "agent"),
            pair("x", "y"),
        ]);
        assert_eq!(said(&told, "service.instance.id"), "pod-1");
        assert_eq!(said(&told, "service.name"), "agent");
        assert_eq!(said(&told, "x"), "y");
    }
}
