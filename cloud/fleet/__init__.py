"""Gateways: registering them, finding them, what they last said."""
