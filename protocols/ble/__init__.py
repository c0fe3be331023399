"""Bluetooth LE health services, one in each file: conversion of characteristic values to observations and back."""
