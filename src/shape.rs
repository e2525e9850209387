//! Results cut to what a model can take.
