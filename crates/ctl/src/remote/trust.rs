//! Whose certificates are believed.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Line, read};
use crate::exit::Failure;

/// TLS as the command line wants it; what this machine trusts is looked up only where TLS is spoken.
pub(super) fn tls(line: &Line, scheme: &str) -> Result<TlsConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    let builder = builder.disable_verification(line.insecure);
    if scheme == "http" || line.insecure {
        return Ok(builder.root_certs(RootCerts::new_with_certs(&[])).build());
    }
    let roots = match &line.ca {
        Some(file) => of_file(file)?,
        None => of_this_machine()?,
    };
    Ok(builder
        .root_certs(RootCerts::new_with_certs(&roots))
        .build())
}

fn of_file(file: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let text = read(file)?;
    let mut found = Vec::new();
    for item in parse_pem(text.as_bytes()) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {} // a key, say, which is nobody's business here
            Err(error) => return Err(Failure::usage(format!("{}: {error}", file.display()))),
        }
    }
    match found.is_empty() {
        true => Err(Failure::usage(format!(
            "{} has no certificate in it (PEM)",
            file.display()
        ))),
        false => Ok(found),
    }
}

fn of_this_machine() -> Result<Vec<Certificate<'static>>, Failure> {
    let known = rustls_native_certs::load_native_certs();
    if known.certs.is_empty() {
        return Err(Failure::usage(
            "this machine trusts no certificate authority: name one with --ca FILE".to_owned(),
        ));
    }
    let known = known.certs.iter();
    Ok(known
        .map(|one| Certificate::from_der(one).to_owned())
        .collect())
}
