//! The shapes of providers: a turn out of one, a bundle into it.
