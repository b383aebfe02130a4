"""One module per section of PS3.18 (2024–2026 editions): one request and one check per test."""
