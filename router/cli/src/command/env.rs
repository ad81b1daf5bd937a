//! `fazt env`: names of an app's environment variables, and new values for them. Values go one way: no command shows
//! one, and the server gives none.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::{path_of, show};
use crate::{
    args::Env,
    client::Client,
    environment::{is_key, read_file, read_words},
    failure::Failure,
    output::Output,
};

#[derive(Deserialize)]
struct Environment {
    keys: Vec<String>,
    #[serde(default)]
    version: Option<u64>,
}

/// Sets, lists or removes.
pub(crate) fn run(env: Env, client: &Client, output: &Output) -> Result<(), Failure> {
    match env {
        Env::List { name } => list(&name, client, output),
        Env::Set { name, variables, file } => {
            let mut set = file.map(|file| read_file(&file)).transpose()?.unwrap_or_default();
            set.extend(read_words(&variables)?);
            let set: Map<String, Value> = set.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
            if set.is_empty() {
                return Err(Failure::Usage("the file holds no variables".to_owned()));
            }
            change(&name, &json!({ "set": set, "unset": [] }), client, output)
        }
        Env::Unset { name, keys } => {
            if let Some(key) = keys.iter().find(|key| !is_key(key)) {
                return Err(Failure::Usage(format!("{key:?} is not the name of a variable")));
            }
            change(&name, &json!({ "set": {}, "unset": keys }), client, output)
        }
    }
}

fn list(name: &str, client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.get(&format!("{}/env", path_of(name)?))?;
    show(&answer, client, output, |environment: Environment| {
        environment.keys.iter().try_for_each(|key| output.line(&crate::output::plain(key)))
    })
}

fn change(name: &str, body: &Value, client: &Client, output: &Output) -> Result<(), Failure> {
    let answer = client.send(Method::PUT, &format!("{}/env", path_of(name)?), body)?;
    show(&answer, client, output, |environment| tell(name, environment, output))
}

fn tell(name: &str, environment: Environment, output: &Output) -> Result<(), Failure> {
    let Environment { keys, version } = environment;
    let when = match version {
        Some(version) => format!("{name} version {version} is served with"),
        None => format!("{name} will be deployed with"),
    };
    let keys = if keys.is_empty() { "no variables".to_owned() } else { keys.join(" ") };
    output.line(&crate::output::plain(&format!("{when} {keys}")))
}
