//! A user in front of a page: Chromium without a window, driven over WebDriver.
//!
//! Every look and every click waits for what it needs, up to a deadline; nothing here sleeps. Dropped, a browser is killed
//! with its driver and its profile.

mod driver;
mod wire;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities, WebDriver, WebElement, common::log::LoggingPrefsLogLevel,
    error::WebDriverResult,
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    browser::{driver::Driver, wire::Wire},
    wait::{eventually, seconds},
};

pub use thirtyfour::Key;

/// How long the page may take to show what it is waited for.
const PATIENCE: Duration = seconds(20);

/// What the page is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// A window with room, and a mouse.
    Desktop,
    /// That many pixels in width, and fingers.
    Phone(u32),
}

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    session: Option<WebDriver>,
    runtime: Runtime,
    _driver: Driver,
}

/// A line of the browser's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// `network`, `javascript`, `security`, …
    pub source: String,
    /// Its words.
    pub message: String,
}

impl Browser {
    /// Starts one; panics with what to install where there is none.
    #[must_use]
    pub fn start(screen: Screen) -> Self {
        let driver = Driver::start();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let wanted = capabilities(&driver, screen).unwrap();
        let connecting = WebDriver::builder(format!("http://{}", driver.address), wanted).client(Wire(driver.address));
        let session = runtime.block_on(connecting.connect()).unwrap();
        Self { session: Some(session), runtime, _driver: driver }
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.wait(self.session().goto(url));
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.wait(self.session().refresh());
    }

    /// Clicks the element, once it can be clicked.
    pub fn click(&self, css: &str) {
        self.with(css, async |element| element.click().await);
    }

    /// Types into the element.
    pub fn write(&self, css: &str, text: &str) {
        self.with(css, async |element| element.send_keys(text).await);
    }

    /// Presses a key on whatever has the focus.
    pub fn press(&self, key: impl Into<char>) {
        let key: char = key.into();
        self.wait(async { self.session().active_element().await?.send_keys(key.to_string()).await });
    }

    /// What a function says in the page, given as its body.
    #[must_use]
    pub fn evaluate(&self, body: &str, argument: &str) -> Value {
        self.wait(self.session().execute(body, vec![json!(argument)])).json().clone()
    }

    /// Waits until the elements show these texts, and no other.
    pub fn shows(&self, css: &str, texts: &[&str]) {
        let body = "return [...document.querySelectorAll(arguments[0])].map((found) => found.innerText.trim())";
        self.comes_to(css, body, &json!(texts));
    }

    /// Waits until the field holds that text.
    pub fn holds(&self, css: &str, text: &str) {
        self.comes_to(css, "return document.querySelector(arguments[0])?.value", &json!(text));
    }

    /// Waits until that many elements are there.
    pub fn counts(&self, css: &str, count: usize) {
        self.comes_to(css, "return document.querySelectorAll(arguments[0]).length", &json!(count));
    }

    /// Waits until the focus is on the element.
    pub fn focuses(&self, css: &str) {
        self.comes_to(css, "return document.activeElement.matches(arguments[0])", &json!(true));
    }

    /// What the browser has complained of since it was asked last: warnings and errors.
    #[must_use]
    pub fn complaints(&self) -> Vec<Complaint> {
        let lines = self.wait(self.session().browser_log()).into_iter();
        let loud = lines.filter(|line| ["WARNING", "SEVERE"].contains(&line.level.as_str()));
        loud.map(|line| Complaint { source: line.source.unwrap_or_default(), message: line.message }).collect()
    }

    fn comes_to(&self, css: &str, body: &str, wanted: &Value) {
        let started = Instant::now();
        eventually(PATIENCE.saturating_mul(2), css, || {
            // Between two pages there is nobody to ask.
            let asked = self.runtime.block_on(self.session().execute(body, vec![json!(css)]));
            let found = asked.map_or(Value::Null, |answer| answer.json().clone());
            assert!(found == *wanted || started.elapsed() < PATIENCE, "{css}: {found} rather than {wanted}");
            found == *wanted
        });
    }

    fn with(&self, css: &str, act: impl AsyncFn(WebElement) -> WebDriverResult<()>) {
        // It may not be there yet, be covered, or have been replaced since it was found.
        eventually(PATIENCE, &format!("{css} is there and can be used"), || {
            let acted = async { act(self.session().find(By::Css(css)).await?).await };
            self.runtime.block_on(acted).is_ok()
        });
    }

    fn wait<T>(&self, answer: impl Future<Output = WebDriverResult<T>>) -> T {
        self.runtime.block_on(answer).unwrap_or_else(|error| panic!("the browser: {error}"))
    }

    fn session(&self) -> &WebDriver {
        self.session.as_ref().unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // No good-bye: the driver and the browser are killed.
        let _left = self.session.take().map(WebDriver::leak);
    }
}

fn capabilities(driver: &Driver, screen: Screen) -> WebDriverResult<ChromeCapabilities> {
    let mut wanted = ChromeCapabilities::new();
    wanted.set_binary(&driver.browser.to_string_lossy())?;
    wanted.add_arg("--headless=new")?;
    // Root, and a container, have no sandbox of the browser's; the page is our own.
    wanted.add_arg("--no-sandbox")?;
    // A container's is small.
    wanted.add_arg("--disable-dev-shm-usage")?;
    wanted.add_arg("--no-proxy-server")?;
    // As everywhere, but not by way of ::1, where somebody else may have the port.
    wanted.add_arg("--host-resolver-rules=MAP *.localhost 127.0.0.1")?;
    wanted.add_arg(&format!("--user-data-dir={}", driver.profile().display()))?;
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    match screen {
        Screen::Desktop => wanted.add_arg("--window-size=1280,900")?,
        Screen::Phone(width) => {
            let metrics = json!({ "width": width, "height": 740, "pixelRatio": 2, "touch": true, "mobile": true });
            wanted.add_experimental_option("mobileEmulation", json!({ "deviceMetrics": metrics }))?;
        }
    }
    Ok(wanted)
}
