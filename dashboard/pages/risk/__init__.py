from dashboard.pages import Page

page = Page(title="Risk", path="/risk", key="r", order=40)
