//! Prices of European options.

use hotsled::parallel;
use rayon::prelude::*;

use crate::data::Random;
use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "black-scholes",
    source: "Hull, Options, Futures, and Other Derivatives: 42, 40, 10 %, 20 %, half a year: 4.76 and 0.81",
    counts: "options",
    size: 1 << 20,
    small: 20_000,
    // std's exp and ln are the C library's.
    tolerance: 1e-6,
    new: |n| Box::new(Options::new(n)),
};

const RATE: f32 = 0.1;
const VOLATILITY: f32 = 0.2;

/// The normal distribution up to `x`: Abramowitz and Stegun 26.2.17.
#[hotsled::device_fn]
fn normal(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.2316419 * x.abs());
    let powers =
        0.31938153 + t * (-0.35656378 + t * (1.7814779 + t * (-1.8212559 + t * 1.3302745)));
    let tail = 0.3989423 * (-0.5 * x * x).exp() * t * powers;
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[hotsled::section]
fn black_scholes(
    rate: f32,
    volatility: f32,
    price: &[f32],
    strike: &[f32],
    years: &[f32],
    call: &mut [f32],
    put: &mut [f32],
) {
    for i in parallel(0..call.len()) {
        let spread = volatility * years[i].sqrt();
        let drift = (rate + 0.5 * volatility * volatility) * years[i];
        let d1 = ((price[i] / strike[i]).ln() + drift) / spread;
        let d2 = d1 - spread;
        let discounted = strike[i] * (-rate * years[i]).exp();
        let (n1, n2): (f32, f32) = (normal(d1), normal(d2));
        call[i] = price[i] * n1 - discounted * n2;
        put[i] = discounted * (1.0 - n2) - price[i] * (1.0 - n1);
    }
}

/// The same distribution, apart from the section and with std's functions.
fn plain_normal(x: f32) -> f32 {
    const FACTORS: [f32; 5] = [1.3302745, -1.8212559, 1.7814779, -0.35656378, 0.31938153];
    let t = 1.0 / (1.0 + 0.2316419 * x.abs());
    let powers = FACTORS.iter().fold(0.0, |sum, factor| factor + t * sum);
    let tail = 0.3989423 * (-0.5 * x * x).exp() * t * powers;
    if x < 0.0 { tail } else { 1.0 - tail }
}

fn plain(price: f32, strike: f32, years: f32) -> (f32, f32) {
    let spread = VOLATILITY * years.sqrt();
    let drift = (RATE + 0.5 * VOLATILITY * VOLATILITY) * years;
    let d1 = ((price / strike).ln() + drift) / spread;
    let discounted = strike * (-RATE * years).exp();
    let (n1, n2) = (plain_normal(d1), plain_normal(d1 - spread));
    let put = discounted * (1.0 - n2) - price * (1.0 - n1);
    (price * n1 - discounted * n2, put)
}

struct Options {
    price: Vec<f32>,
    strike: Vec<f32>,
    years: Vec<f32>,
    /// All calls, then all puts.
    worth: Vec<f32>,
}

impl Options {
    /// Hull's first, then options as in Nvidia's sample.
    fn new(n: usize) -> Self {
        let mut random = Random::new(1973);
        let mut column = |first: f32, low: f64, high: f64| -> Vec<f32> {
            let others = (1..n).map(|_| random.between(low, high) as f32);
            std::iter::once(first).chain(others).collect()
        };
        Self {
            price: column(42.0, 5.0, 30.0),
            strike: column(40.0, 1.0, 100.0),
            years: column(0.5, 0.25, 10.0),
            worth: vec![0.0; 2 * n],
        }
    }
}

impl Kernel for Options {
    fn section(&mut self) {
        let (call, put) = self.worth.split_at_mut(self.price.len());
        let (price, strike, years) = (&self.price, &self.strike, &self.years);
        black_scholes(RATE, VOLATILITY, price, strike, years, call, put);
    }

    fn rayon(&mut self) {
        let (call, put) = self.worth.split_at_mut(self.price.len());
        let (price, strike, years) = (&self.price, &self.strike, &self.years);
        let options = call.par_iter_mut().zip(put).enumerate();
        options.for_each(|(i, (c, p))| (*c, *p) = plain(price[i], strike[i], years[i]));
    }

    fn values(&self) -> Values<'_> {
        Values::F32(&self.worth)
    }

    fn known(&self) -> Result<(), String> {
        let (call, put) = self.worth.split_at(self.price.len());
        known::close("Hull's call", call[0].into(), 4.76, 0.005)?;
        known::close("Hull's put", put[0].into(), 0.81, 0.005)?;
        // Put-call parity, for all of them.
        let worth: Vec<f32> = call.iter().zip(put).map(|(c, p)| c - p).collect();
        known::all(&worth, 1e-4, |i| {
            let discount = (-RATE * self.years[i]).exp();
            f64::from(self.price[i] - self.strike[i] * discount)
        })
    }
}
