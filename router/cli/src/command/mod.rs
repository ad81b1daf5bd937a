//! One module a command: it asks the farm for one thing and prints what came. Here is only which one is meant.

mod deploy;
mod env;
mod exec;
mod inspect;
mod list;
mod logs;
mod remove;
mod replace;
mod status;
mod trace;
mod traces;
mod validate;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    args::{App, Args, Command},
    client::Client,
    failure::Failure,
    name,
    output::Output,
    token,
};

/// Does what the command line asks for.
pub(crate) fn run(args: Args, output: &mut Output) -> Result<(), Failure> {
    // The one command that needs no farm.
    if let Command::App(App::Validate { dir, name }) = args.command {
        return validate::run(&dir, name.as_deref(), output);
    }
    let client = Client::new(&args.server, token::find(args.token)?)?;
    match args.command {
        Command::App(app) => run_app(app, &client, output),
        Command::Env(env) => env::run(env, &client, output),
        Command::Status { watch } => status::run(watch, &client, output),
        Command::Traces(traces) => traces::run(&traces, &client, output),
        Command::Trace { id } => trace::run(&id, &client, output),
        Command::Exec(exec) => exec::run(&exec, &client, output),
    }
}

fn run_app(app: App, client: &Client, output: &Output) -> Result<(), Failure> {
    match app {
        App::Deploy(deploy) => deploy::run(&deploy, client, output),
        App::Validate { dir, name } => validate::run(&dir, name.as_deref(), output),
        App::List => list::run(client, output),
        App::Info { name } => inspect::run(&name, client, output),
        App::Remove { name } => remove::run(&name, client, output),
        App::Logs(logs) => logs::run(&logs, client, output),
    }
}

/// The path of an app in the admin interface; a name that no app can have is wrong usage.
fn path_of(name: &str) -> Result<String, Failure> {
    name::check(name).map_err(|error| Failure::Usage(format!("{name:?}: {error}")))?;
    Ok(format!("/api/_admin/apps/{name}"))
}

/// Shows an answer: to programs as it came, to people as the command prints it.
fn show<T: DeserializeOwned>(
    answer: &Value,
    client: &Client,
    output: &Output,
    print: impl FnOnce(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if output.is_json() { output.value(answer) } else { print(shape(answer, client)?) }
}

/// An answer as the shape that this command prints.
fn shape<T: DeserializeOwned>(value: &Value, client: &Client) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| client.strange(error))
}
