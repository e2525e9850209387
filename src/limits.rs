//! Limits that schedule.
