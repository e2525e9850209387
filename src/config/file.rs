//! From YAML to settings, without stopping at the first fault.
//!
//! The text becomes a tree of nodes that know their place ([`node`], [`parse`]).
//! A [`Setting`] decodes itself from a node and publishes its JSON Schema; an
//! [`Object`] declares its keys once, and that declaration is read twice: with a
//! node in hand it decodes, without one it publishes. Whatever is wrong goes to
//! the [`Decoder`], which goes on.

pub(crate) mod brief;
pub(crate) mod decode;
pub(crate) mod json;
pub(crate) mod node;
pub(crate) mod object;
pub(crate) mod parse;
pub(crate) mod scalar;
pub(crate) mod source;
pub(crate) mod switch;

pub(crate) use decode::{Decoder, Map, Placed, Setting, Shown};
pub(crate) use node::{Node, Span};
pub(crate) use object::{Fields, Object};
pub(crate) use source::Source;
