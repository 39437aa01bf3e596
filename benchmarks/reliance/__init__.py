"""Does reliance tell chains that drive the answer from those that only stand before it?"""
