//! Real Envoys, origins and load, started and stopped by handle.
