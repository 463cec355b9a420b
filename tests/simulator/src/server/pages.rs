//! The pages of the faces, for customers.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;

use super::{App, shape};
use crate::clock;
use crate::faces::{Face, Request};

/// Shows a page, or does what a button on it says. No fault has a say here: customers are no gateways.
pub fn answer(app: &Arc<App>, face: &Arc<dyn Face>, prefix: usize, parts: &Parts, body: &Bytes) -> Response {
    let (prefix, path) = parts.uri.path().split_at(prefix);
    let (method, headers, query) = (&parts.method, &parts.headers, parts.uri.query());
    let request = Request { method, prefix, path, query, headers, body };
    shape::plain(app.carry_out(|gateway| face.visit(&request, gateway, clock::unix_seconds())))
}
