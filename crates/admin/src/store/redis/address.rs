//! Where a store is, as an operator writes it.
//!
//! ```text
//! memory
//! redis://[user:password@]host[:port][/database]                      rediss:// with TLS
//! redis-cluster://[user:password@]host[:port][,host:port...]          rediss-cluster://
//! redis-sentinel://[user:password@]host[:port][,host:port...][/database]?service=name[&sentinel_user=u][&sentinel_password=p]
//! ```
//!
//! `valkey` and `valkeys` stand for `redis` and `rediss`. User and password are percent-decoded. With Sentinel they are those of
//! the servers; the hosts are those of the Sentinels. With TLS a server has to have a certificate that this machine trusts, or
//! one that is in the file that `SSL_CERT_FILE` names.

use std::error::Error;
use std::fmt;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(pub(crate) String);

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Error for AddressError {}

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Memory,
    Redis(Servers),
}

/// Servers of Redis or Valkey.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Servers {
    pub(crate) tls: bool,
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: Option<u8>,
    pub(crate) topology: Topology,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Topology {
    Alone,
    Cluster,
    Sentinel {
        service: String,
        user: Option<String>,
        password: Option<String>,
    },
}

impl Topology {
    const fn suffix(&self) -> &'static str {
        match self {
            Self::Alone => "",
            Self::Cluster => "-cluster",
            Self::Sentinel { .. } => "-sentinel",
        }
    }

    const fn port(&self) -> u16 {
        match self {
            Self::Alone | Self::Cluster => 6379,
            Self::Sentinel { .. } => 26379,
        }
    }
}

impl Address {
    /// # Errors
    /// What is wrong with it. Passwords are not in what it says.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong("there is no scheme in it"));
        };
        let (rest, query) = split(rest, '?');
        let (tls, topology) = scheme_of(scheme, query)?;
        let (user, password, rest) = credentials(rest)?;
        let (hosts, database) = split(rest, '/');
        let servers = Servers {
            tls,
            hosts: hosts_of(hosts, topology.port())?,
            user,
            password,
            database: database_of(database, &topology)?,
            topology,
        };
        Ok(Self::Redis(servers))
    }
}

impl fmt::Display for Servers {
    /// Without passwords.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        write!(out, "{scheme}{}://", self.topology.suffix())?;
        for (index, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if host.contains(':') {
                write!(out, "{comma}[{host}]:{port}")?;
            } else {
                write!(out, "{comma}{host}:{port}")?;
            }
        }
        if let Some(database) = self.database {
            write!(out, "/{database}")?;
        }
        match &self.topology {
            Topology::Alone | Topology::Cluster => Ok(()),
            Topology::Sentinel { service, .. } => write!(out, "?service={service}"),
        }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => out.write_str("memory"),
            Self::Redis(servers) => fmt::Display::fmt(servers, out),
        }
    }
}

fn wrong(what: impl fmt::Display) -> AddressError {
    AddressError(format!(
        "{what}; a store is memory, redis://host:port, rediss://host:port (TLS), \
         redis-cluster://host:port,host:port or redis-sentinel://host:port,host:port?service=name"
    ))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

fn scheme_of(scheme: &str, query: Option<&str>) -> Result<(bool, Topology), AddressError> {
    let (server, topology) = split(scheme, '-');
    let tls = match server {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        _ => return Err(wrong(format!("{scheme}:// is not known"))),
    };
    let topology = match topology {
        None => Topology::Alone,
        Some("cluster") => Topology::Cluster,
        Some("sentinel") => return Ok((tls, sentinel(query.unwrap_or_default())?)),
        Some(_) => return Err(wrong(format!("{scheme}:// is not known"))),
    };
    match query {
        None => Ok((tls, topology)),
        Some(_) => Err(wrong(format!("{scheme}:// has nothing behind a '?'"))),
    }
}

fn sentinel(query: &str) -> Result<Topology, AddressError> {
    let (mut service, mut user, mut password) = (None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = split(pair, '=');
        let value = Some(decode(value.unwrap_or_default())?);
        match name {
            "service" => service = value,
            "sentinel_user" => user = value,
            "sentinel_password" => password = value,
            _ => return Err(wrong(format!("{name}= is not known"))),
        }
    }
    let service = service
        .filter(|service| !service.is_empty())
        .ok_or_else(|| wrong("a Sentinel has to be told which service (?service=name)"))?;
    Ok(Topology::Sentinel {
        service,
        user,
        password,
    })
}

type Credentials<'a> = (Option<String>, Option<String>, &'a str);

fn credentials(rest: &str) -> Result<Credentials<'_>, AddressError> {
    let Some((credentials, hosts)) = rest.rsplit_once('@') else {
        return Ok((None, None, rest));
    };
    let (user, password) = credentials
        .split_once(':')
        .ok_or_else(|| wrong("in front of the '@' there has to be user:password or :password"))?;
    let user = Some(decode(user)?).filter(|user| !user.is_empty());
    Ok((user, Some(decode(password)?), hosts))
}

fn hosts_of(hosts: &str, port: u16) -> Result<Vec<(String, u16)>, AddressError> {
    hosts.split(',').map(|host| host_of(host, port)).collect()
}

fn host_of(text: &str, usual: u16) -> Result<(String, u16), AddressError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest
                .split_once(']')
                .ok_or_else(|| wrong(format!("{text} has no ']'")))?;
            (host, behind.strip_prefix(':'))
        }
        None => split(text, ':'),
    };
    if host.is_empty() {
        return Err(wrong("there is no host in it"));
    }
    let port = match port {
        None => usual,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| wrong(format!("{port} is not a port")))?,
    };
    Ok((host.to_owned(), port))
}

fn database_of(text: Option<&str>, topology: &Topology) -> Result<Option<u8>, AddressError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match topology {
        Topology::Cluster => Err(wrong("a cluster has no databases")),
        Topology::Alone | Topology::Sentinel { .. } => match text.parse() {
            Ok(database) => Ok(Some(database)),
            Err(_) => Err(wrong(format!("/{text} is not a database (0 to 255)"))),
        },
    }
}

fn decode(text: &str) -> Result<String, AddressError> {
    let bad = || wrong("a '%' is not followed by two hexadecimal digits, or not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit().ok_or_else(bad)?, digit().ok_or_else(bad)?);
            bytes.push(u8::try_from(high << 4 | low).map_err(|_| bad())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Servers {
        match Address::parse(text).unwrap() {
            Address::Redis(servers) => servers,
            Address::Memory => panic!("{text}"),
        }
    }

    fn refused(text: &str) -> String {
        Address::parse(text).unwrap_err().0
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(Address::parse("memory").unwrap(), Address::Memory);
        for (text, shown) in [
            ("redis://h", "redis://h:6379"),
            ("valkey://h:1/", "redis://h:1"),
            ("rediss://u:p@h:1/2", "rediss://h:1/2"),
            ("redis://[::1]:7/0", "redis://[::1]:7/0"),
            ("redis-cluster://a,b:2", "redis-cluster://a:6379,b:2"),
            ("valkeys-cluster://a", "rediss-cluster://a:6379"),
            (
                "redis-sentinel://:p@a,b:2/3?service=s&sentinel_password=q",
                "redis-sentinel://a:26379,b:2/3?service=s",
            ),
        ] {
            assert_eq!(servers(text).to_string(), shown);
        }
    }

    #[test]
    fn who_connects_is_read_and_never_shown() {
        let found = servers("redis://us%65r:p%40ss:w%C3%B6rd@h");
        assert_eq!(found.user.as_deref(), Some("user"));
        assert_eq!(found.password.as_deref(), Some("p@ss:wörd"));
        assert_eq!(servers("redis://:p@h").user, None);
        let topology = Topology::Sentinel {
            service: "s".to_owned(),
            user: Some("u".to_owned()),
            password: Some("q&".to_owned()),
        };
        let text = "redis-sentinel://h?sentinel_user=u&service=s&sentinel_password=q%26";
        assert!(servers(text).topology == topology);
        assert_eq!(format!("{found:?}"), "redis://h:6379");
    }

    #[test]
    fn what_is_wrong_is_said_without_passwords() {
        for (text, said) in [
            ("", "no scheme"),
            ("redis", "no scheme"),
            ("http://h", "http:// is not known"),
            ("redis-ring://h", "redis-ring:// is not known"),
            ("redis://", "no host"),
            ("redis://a,", "no host"),
            ("redis://[::1", "no ']'"),
            ("redis://h:0", "0 is not a port"),
            ("redis://h:99999", "99999 is not a port"),
            ("redis://secret@h", "user:password"),
            ("redis://h/x", "/x is not a database"),
            ("redis-cluster://h/1", "no databases"),
            ("redis://h?service=a", "nothing behind a '?'"),
            ("redis-sentinel://h", "which service"),
            ("redis-sentinel://h?service=", "which service"),
            ("redis-sentinel://h?sentinelServiceName=a", "is not known"),
            ("redis://:%zz@h", "'%'"),
            ("redis://:%C3@h", "'%'"),
        ] {
            let message = refused(text);
            assert!(message.contains(said), "{text}: {message}");
            assert!(!message.contains("secret"));
        }
        assert!(refused("x").contains("a store is memory"));
    }
}
