//! Completions and manual pages, generated from the definition of the command line.

use clap_complete::Shell;

use super::{definition, visible_definition};

const NAME: &str = "aws-root-exporter";

/// The completion script of a shell.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible_definition(), NAME, &mut script);
    String::from_utf8(script).unwrap_or_default()
}

/// The manual page of the program or of one of its commands; `None` if there is no such command.
#[must_use]
pub fn man(command: Option<&str>) -> Option<String> {
    let mut program = definition();
    program.build();
    let (title, command) = match command {
        None => (NAME.to_owned(), program),
        Some(name) => (
            format!("{NAME}-{name}"),
            program.find_subcommand(name)?.clone(),
        ),
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .title(title)
        .render(&mut page)
        .ok()?;
    String::from_utf8(page).ok()
}
