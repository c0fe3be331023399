"""Bluetooth LE health services: conversion of characteristic values to observations and back. Each service has one
file.
"""
