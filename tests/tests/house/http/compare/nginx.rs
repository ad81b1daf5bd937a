//! The other server: nginx in a temporary folder, as somebody would set it up who wants from it what the farm does. An app is
//! a folder behind a host's name, its private files and its code are kept from browsers, and below `/api/` its code is asked:
//! here a second door of the same nginx, which says what reached it.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use fazt_tests::wait::{PATIENCE, eventually};
use tempfile::TempDir;

use super::sites::SITES;

/// Limits and clocks are the farm's, as far as its settings go, so that what differs is what the two read.
const SETTINGS: &str = "
daemon off;
master_process off;
pid FOLDER/pid;
error_log FOLDER/error.log;
events {}
http {
  access_log off;
  client_body_temp_path FOLDER/temp;
  proxy_temp_path FOLDER/temp;
  fastcgi_temp_path FOLDER/temp;
  uwsgi_temp_path FOLDER/temp;
  scgi_temp_path FOLDER/temp;
  client_header_timeout 5s;
  client_body_timeout 5s;
  keepalive_timeout 15s;
  client_max_body_size 10m;
  large_client_header_buffers 8 16k;
  # What a client still sends is taken before the connection is closed, as the farm does: else the last answer could be lost.
  lingering_close always;
  lingering_timeout 1s;
  proxy_ignore_client_abort on;
  map $content_length $bytes { '' 0; default $content_length; }
  server {
    listen 127.0.0.1:PORT default_server;
    return 404;
  }
  server {
    listen unix:FOLDER/code;
    return 200 '$http_x_app ran $request_method $uri $bytes';
  }
  SITES
}
";

const SITE: &str = "
  server {
    listen 127.0.0.1:PORT;
    server_name NAME.localhost;
    root FOLDER/sites/NAME;
    location / { try_files $uri $uri.html $uri/index.html =404; }
    location ^~ /private/ { return 404; }
    location = /manifest.json { return 404; }
    location ~ /\\. { return 404; }
    location = /api { return 404; }
    location ^~ /api/ {
      proxy_pass http://unix:FOLDER/code;
      proxy_set_header Host $host;
      proxy_set_header X-App NAME;
    }
  }
";

/// A running one; dropped, it is killed.
pub(super) struct Nginx {
    child: Child,
    pub(super) address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it with the same sites as the farm, and waits until it listens.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, files) in SITES {
            for (path, content) in *files {
                let file = folder.path().join("sites").join(name).join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, content).unwrap();
            }
        }
        fs::create_dir(folder.path().join("temp")).unwrap();
        let address = free_address();
        fs::write(folder.path().join("nginx.conf"), settings(folder.path(), address)).unwrap();
        let mut child = command().arg("-p").arg(folder.path()).args(["-c", "nginx.conf"]).spawn().unwrap();
        eventually(PATIENCE, "nginx listens", || {
            if let Some(status) = child.try_wait().unwrap() {
                let said = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
                panic!("nginx ended: {status}\n{said}");
            }
            TcpStream::connect(address).is_ok()
        });
        Self { child, address, _folder: folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// What it calls itself.
pub(super) fn version() -> String {
    let output = command().stderr(Stdio::piped()).arg("-v").output().unwrap();
    String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("nginx version: ").to_owned()
}

fn command() -> Command {
    let mut command = Command::new(env::var("FAZT_NGINX").unwrap_or_else(|_| "nginx".to_owned()));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stderr(Stdio::null());
    command
}

/// It takes no port of the kernel's choice: one that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn settings(folder: &Path, address: SocketAddr) -> String {
    let sites: String = SITES.iter().map(|(name, _)| SITE.replace("NAME", name)).collect();
    let settings = SETTINGS.replace("SITES", &sites).replace("PORT", &address.port().to_string());
    settings.replace("FOLDER", folder.to_str().unwrap())
}
