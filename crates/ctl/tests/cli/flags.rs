//! Flags, help, exit codes.

use crate::larderctl;

#[test]
fn help_says_what_the_exit_codes_mean() {
    let ran = larderctl(&["--help"]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    for line in [
        "  0  all is well",
        "  3  the other side could not be reached, or refused",
    ] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
}

#[test]
fn what_is_no_command_is_wrong_usage() {
    let ran = larderctl(&["explian"]);
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert!(
        ran.err.contains("a similar subcommand exists: 'explain'"),
        "{ran:?}"
    );
    assert_eq!(larderctl(&[]).code, 2);
}

#[test]
fn every_shell_can_complete() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = larderctl(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(
            ran.out.contains("larderctl") && ran.out.contains("completions"),
            "{shell}"
        );
    }
}
