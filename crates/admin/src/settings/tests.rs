use std::path::Path;

use super::*;

/// One file, and the variables.
struct Stage {
    file: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

impl Surroundings for Stage {
    fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/config.json") => Ok(self.file.to_owned()),
            Some("/secret") => Ok("from-a-file-and-long\n".to_owned()),
            _ => Err("there is no such file".to_owned()),
        }
    }
}

const SECRET: &[(&str, &str)] = &[
    (SECRET_VARIABLE, "s3cret-s3cret-s3cret"),
    (TOKEN_VARIABLE, "t0ken\n"),
];

fn read(flags: &[&str], stage: &Stage) -> Result<Settings, String> {
    let arguments = ["larder-admin"].iter().chain(flags).map(OsString::from);
    match Settings::read(arguments, stage) {
        Ok(Wanted::Run(settings) | Wanted::Check(settings)) => Ok(*settings),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn without_anything_else_there_are_defaults() {
    let settings = read(
        &[],
        &Stage {
            file: "",
            variables: SECRET,
        },
    )
    .unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(settings.store.to_string(), "memory");
    assert_eq!(settings.fleet, "default");
    assert_eq!(settings.max_entry_bytes, 8 << 20);
    assert!(settings.token.unwrap().is_in(Some(b"Bearer t0ken")));
}

#[test]
fn flags_win_over_the_file() {
    let file =
        r#"{"listen": "0.0.0.0:1", "fleet": "shop", "max_waiting": 7, "secret_file": "/secret"}"#;
    let stage = Stage {
        file,
        variables: &[],
    };
    let settings = read(&["--config", "/config.json", "--fleet", "other"], &stage).unwrap();
    assert_eq!(settings.listen.to_string(), "0.0.0.0:1");
    assert_eq!(settings.fleet, "other");
    assert_eq!(settings.max_waiting, 7);
    assert!(
        settings
            .secret
            .unwrap()
            .is_in(Some(b"Bearer from-a-file-and-long"))
    );
    assert_eq!(settings.token, None);
}

#[test]
fn all_that_is_wrong_with_a_file_is_said_with_its_path() {
    let file = r#"{"listen": "here", "max_waiting": 0, "drain": 5, "flete": "a", "insecure": 1}"#;
    let stage = Stage {
        file,
        variables: SECRET,
    };
    let problems = read(&["--config", "/config.json"], &stage).unwrap_err();
    for problem in [
        "/config.json: listen: must be an address with a port",
        "/config.json: max_waiting: must be at least 1",
        "/config.json: drain: is unknown",
        "/config.json: flete: is unknown",
        "/config.json: insecure: must be true or false, not a number",
    ] {
        assert!(problems.contains(problem), "{problem}: {problems}");
    }
}

#[test]
fn without_a_secret_nobody_is_let_in_unless_everybody_is() {
    let stage = Stage {
        file: "",
        variables: &[],
    };
    let problem = read(&[], &stage).unwrap_err();
    assert!(problem.contains(SECRET_VARIABLE), "{problem}");
    assert_eq!(read(&["--insecure"], &stage).unwrap().secret, None);
    let problem = read(&["--secret-file", "/none"], &stage).unwrap_err();
    assert_eq!(problem, "/none: there is no such file");
}

#[test]
fn what_is_wrong_on_the_command_line_is_said() {
    let stage = Stage {
        file: "",
        variables: SECRET,
    };
    for (flags, problem) in [
        (&["--max-waiting", "0"][..], "0 is not in 1..=1000000"),
        (&["--listen", "x"], "invalid value 'x' for '--listen"),
        (&["--fleet", "a b"], "fleet: must be 1 to 64 letters"),
        (&["--flet", "a"], "unexpected argument '--flet'"),
        (&["--store", "redsi://valkey"], "store: "),
        (&["--log", "a=b=c"], "log: "),
    ] {
        let said = read(flags, &stage).unwrap_err();
        assert!(said.contains(problem), "{flags:?}: {said}");
    }
}

#[test]
fn no_secret_is_shown() {
    let flags = ["--store", "redis://me:pa55@valkey:6379/1"];
    let settings = read(
        &flags,
        &Stage {
            file: "",
            variables: SECRET,
        },
    )
    .unwrap();
    let shown = format!("{settings:?}");
    for hidden in ["s3cret", "t0ken", "pa55"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert_eq!(settings.store.to_string(), "redis://***@valkey:6379/1");
}

#[test]
fn a_secret_that_can_be_guessed_is_none() {
    for (secret, is_taken) in [
        ("demo-secret", false),
        ("sixteen-bytes-it", true),
        ("thirty-two-bytes-or-more-of-them", true),
    ] {
        let variables = Box::leak(Box::new([(SECRET_VARIABLE, secret)]));
        let read = read(
            &[],
            &Stage {
                file: "",
                variables,
            },
        );
        assert_eq!(read.is_ok(), is_taken, "{secret}: {read:?}");
        if let Ok(settings) = read {
            assert_eq!(settings.is_secret_short, secret.len() < 32);
        }
    }
}
